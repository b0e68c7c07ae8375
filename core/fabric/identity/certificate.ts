import { X509Certificate } from "node:crypto";
import { FabricError } from "../../error.ts";
import { isCertificateBlock, pemBlocks, printPem } from "./pem.ts";
import { readPrivateKey } from "./private-key.ts";

/** The fields of a certificate that Fabric and its operators use. */
export interface CertificateInfo {
  readonly commonName: string;
  readonly organization: string | undefined;
  /** Fabric reads an identity's role from these (NodeOUs). */
  readonly organizationalUnits: readonly string[];
  readonly issuer: string;
  /** DNS names and IP addresses that a TLS certificate is good for. */
  readonly hosts: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Hexadecimal, upper case. */
  readonly serialNumber: string;
  readonly isAuthority: boolean;
}

/** Reads a certificate in PEM; of several the first. Throws `invalid` when it is none. */
export function readCertificate(pem: string): CertificateInfo {
  const certificate = parse(pem);
  const { subject, issuer } = certificate.toLegacyObject();
  return {
    commonName: firstOf(subject.CN) ?? "",
    organization: firstOf(subject.O),
    organizationalUnits: listOf(subject.OU),
    issuer: firstOf(issuer.CN) ?? "",
    hosts: hostsOf(certificate.subjectAltName),
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
    serialNumber: certificate.serialNumber,
    isAuthority: certificate.ca,
  };
}

/** Whether `authority` signed this certificate: its name is the issuer's and the signature is good. Says nothing of dates. */
export function isIssuedBy(certificate: string, authority: string): boolean {
  const issuer = parse(authority);
  const subject = parse(certificate);
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
}

/** Whether the private key (PEM) belongs to the certificate. */
export function matchesPrivateKey(certificate: string, privateKey: string): boolean {
  return parse(certificate).checkPrivateKey(readPrivateKey(privateKey));
}

/** Whole days until the certificate ends; negative when it has. */
export function daysLeft({ notAfter }: Pick<CertificateInfo, "notAfter">, now: Date): number {
  return Math.floor((notAfter.getTime() - now.getTime()) / 86_400_000);
}

/** The certificates of a PEM bundle, one by one. Throws `invalid` when there is none. */
export function splitCertificates(bundle: string): readonly string[] {
  const found = pemBlocks(bundle).filter(isCertificateBlock);
  if (found.length === 0) throw new FabricError("invalid", "expected certificates in PEM, found none");
  return found.map(({ bytes }) => certificatePem(bytes));
}

/** A certificate's DER bytes in PEM, as Go writes them: of one certificate always the same text. */
export const certificatePem = (bytes: Uint8Array): string => printPem({ label: "CERTIFICATE", headers: [], bytes });

/** The certificate's DER bytes. */
export function certificateBytes(pem: string): Uint8Array {
  return parse(pem).raw;
}

/** Of several the first, as in Fabric (msp/mspimpl.go, getCertFromPem). */
function parse(pem: string): X509Certificate {
  try {
    return new X509Certificate(pemBlocks(pem).find(isCertificateBlock)?.bytes ?? "");
  } catch (cause) {
    throw new FabricError("invalid", "expected a certificate in PEM, found something else", { cause });
  }
}

function hostsOf(subjectAltName: string | undefined): readonly string[] {
  const names = subjectAltName === undefined ? [] : subjectAltName.split(", ");
  return names.flatMap((name) => {
    const match = /^(?:DNS|IP Address):(.+)$/.exec(name);
    return match?.[1] === undefined ? [] : [match[1]];
  });
}

function listOf(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : [value].flat();
}

function firstOf(value: string | string[] | undefined): string | undefined {
  return listOf(value)[0];
}
