import { createHash, createPublicKey, webcrypto, type KeyObject } from "node:crypto";
import { isIP } from "node:net";
import {
  AsnEcSignatureFormatter,
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  type Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { FabricError } from "../../error.ts";
import { readCertificate } from "./certificate.ts";
import { generatePrivateKey, publicPoint, readPrivateKey } from "./private-key.ts";

/** A certificate and its private key (PKCS#8), both PEM. */
export interface Credential {
  readonly certificate: string;
  readonly privateKey: string;
}

/** The role of an identity: the organizational unit that Fabric's NodeOUs look for. */
export type NodeRole = "client" | "peer" | "admin" | "orderer";

/** How long a certificate is good. A leaf never outlives its authority. */
interface Validity {
  readonly now: Date;
  readonly days?: number | undefined;
}

export interface AuthorityRequest extends Validity {
  readonly commonName: string;
  readonly organization: string;
}

export interface EnrolmentRequest extends Validity {
  readonly commonName: string;
  readonly role: NodeRole;
  /** Keeps this key (PEM) instead of making a new one: a renewal. */
  readonly privateKey?: string | undefined;
}

export interface TlsRequest extends Validity {
  readonly commonName: string;
  /** DNS names and IP addresses that the server is reached by; may be empty for a client. */
  readonly hosts: readonly string[];
  readonly privateKey?: string | undefined;
}

const authorityDays = 3650;
const leafDays = 365;
/** Clocks of machines differ, so certificates begin earlier, by as much as cryptogen's (internal/cryptogen/ca/ca.go). */
const backdatedMinutes = 5;

const tlsUsages = [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];

/** A self-signed authority with the extensions that cryptogen gives one (internal/cryptogen/ca/ca.go, NewCA). 10 years unless given. */
export async function createCertificateAuthority(request: AuthorityRequest): Promise<Credential> {
  const privateKey = generatePrivateKey();
  const key = readPrivateKey(privateKey);
  const name: JsonName = [{ O: [request.organization] }, { CN: [request.commonName] }];
  const certificate = await sign({
    subject: name,
    issuer: name,
    key,
    signingKey: key,
    ...period(request, authorityDays),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(
        KeyUsageFlags.digitalSignature |
          KeyUsageFlags.keyEncipherment |
          KeyUsageFlags.keyCertSign |
          KeyUsageFlags.cRLSign,
        true,
      ),
      new ExtendedKeyUsageExtension(tlsUsages),
      new SubjectKeyIdentifierExtension(keyIdentifier(key)),
    ],
  });
  return { certificate, privateKey };
}

/**
 * An enrolment certificate, for the identity that signs proposals, blocks and transactions.
 * The role is its organizational unit, by which NodeOUs tell peers from admins. 1 year unless given.
 */
export async function issueEnrolmentCertificate(authority: Credential, request: EnrolmentRequest): Promise<Credential> {
  return issue(
    authority,
    request,
    [{ OU: [request.role] }, { CN: [request.commonName] }],
    [new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true)],
  );
}

/** A TLS certificate for server and client, as cryptogen gives nodes. 1 year unless given. */
export async function issueTlsCertificate(authority: Credential, request: TlsRequest): Promise<Credential> {
  const names = request.hosts.map((host) => ({ type: isIP(host) ? "ip" : "dns", value: host }) as const);
  return issue(
    authority,
    request,
    [{ CN: [request.commonName] }],
    [
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new ExtendedKeyUsageExtension(tlsUsages),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
    ],
  );
}

async function issue(
  authority: Credential,
  request: EnrolmentRequest | TlsRequest,
  subject: JsonName,
  usages: readonly Extension[],
): Promise<Credential> {
  const issuer = new X509Certificate(authority.certificate);
  const { notAfter: end, organization } = readCertificate(authority.certificate);
  if (end <= request.now) {
    throw new FabricError(
      "invalid",
      `expected a valid certificate authority, found that ${issuer.subject} ended on ${end.toISOString()}`,
      { hint: "make a new certificate authority and add it to the organization's MSP" },
    );
  }
  const privateKey = request.privateKey ?? generatePrivateKey();
  const key = readPrivateKey(privateKey);
  const { notBefore, notAfter } = period(request, leafDays);
  const certificate = await sign({
    subject: organization === undefined ? subject : [{ O: [organization] }, ...subject],
    issuer: issuer.subjectName,
    key,
    signingKey: readPrivateKey(authority.privateKey),
    notBefore,
    notAfter: notAfter < end ? notAfter : end,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      ...usages,
      new SubjectKeyIdentifierExtension(keyIdentifier(key)),
      new AuthorityKeyIdentifierExtension(authorityKeyIdentifier(issuer)),
    ],
  });
  return { certificate, privateKey };
}

interface Unsigned {
  readonly subject: JsonName;
  readonly issuer: JsonName | Name;
  readonly key: KeyObject;
  readonly signingKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Extension[];
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

async function sign({ key, signingKey, extensions, ...names }: Unsigned): Promise<string> {
  const publicKey = createPublicKey(key).toCryptoKey(algorithm, true, ["verify"]);
  const signer = signingKey.toCryptoKey(algorithm, false, ["sign"]);
  // Fabric knows an identity by its certificate with a low-S signature, and rewrites others (msp/cert.go,
  // sanitizeECDSASignedCert). Every second signature is low already: try until it is.
  for (;;) {
    const certificate = await X509CertificateGenerator.create(
      {
        ...names,
        serialNumber: serialNumber(),
        publicKey,
        signingKey: signer,
        signingAlgorithm: algorithm,
        extensions: [...extensions],
      },
      webcrypto,
    );
    if (isLowS(certificate.signature)) return `${certificate.toString("pem")}\n`;
  }
}

const halfOrder = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n;

function isLowS(signature: ArrayBuffer): boolean {
  const pair = new AsnEcSignatureFormatter().toWebSignature(algorithm, signature); // r and s, 32 bytes each
  return pair !== null && BigInt(`0x${Buffer.from(pair, 32).toString("hex")}`) <= halfOrder;
}

function serialNumber(): string {
  // Positive and of full length, so that DER neither pads nor shortens it.
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

function period({ now, days }: Validity, usualDays: number): { notBefore: Date; notAfter: Date } {
  const start = new Date(now.getTime() - backdatedMinutes * 60_000);
  return { notBefore: start, notAfter: new Date(now.getTime() + (days ?? usualDays) * 86_400_000) };
}

/** SHA-256 of the public point, as cryptogen computes it (internal/cryptogen/ca/ca.go, computeSKI). */
function keyIdentifier(key: KeyObject): string {
  return createHash("sha256").update(publicPoint(key)).digest("hex");
}

function authorityKeyIdentifier(issuer: X509Certificate): string {
  const extension = issuer.getExtension(SubjectKeyIdentifierExtension);
  if (!extension) {
    throw new FabricError("invalid", `expected a subject key identifier in ${issuer.subject}, found none`);
  }
  return extension.keyId;
}
