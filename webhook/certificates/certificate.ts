import { createPrivateKey, X509Certificate } from "node:crypto";

/** A certificate with its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Reads a PEM certificate; undefined for another text. */
export function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** The certificates of a PEM bundle, each as PEM that ends in a newline. What is no certificate is left out. */
export function splitBundle(pem: string): readonly string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => `${block}\n`).filter((block) => readCertificate(block) !== undefined);
}

/** Whether the key is the certificate's and the certificate is valid at a time. */
export function isUsable({ cert, key }: KeyPair, now: Date): boolean {
  const certificate = readCertificate(cert);
  return certificate !== undefined && isCurrent(certificate, now) && hasKey(certificate, key);
}

export function isCurrent(certificate: X509Certificate, now: Date): boolean {
  return certificate.validFromDate <= now && now < certificate.validToDate;
}

function hasKey(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** Whether one certificate was signed by another's key. */
export function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

/** Whether a certificate is good for every one of the names. */
export function names(certificate: X509Certificate, hosts: readonly string[]): boolean {
  return hosts.every((host) => certificate.checkHost(host) !== undefined);
}
