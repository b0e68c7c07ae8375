import type { X509Certificate } from "node:crypto";

/** The organizational units of a certificate's subject. fabric-ca puts several into one relative distinguished name. */
export function organizationalUnits(certificate: X509Certificate): readonly string[] {
  return certificate.subject
    .split(/\n| ?\+ ?(?=[A-Z]+=)/)
    .filter((part) => part.startsWith("OU="))
    .map((part) => part.slice("OU=".length));
}

/** From a leaf to its root, both included; throws when no root is reached. Expiry is not looked at: Fabric verifies at the time the certificate was issued (msp/mspimpl.go). */
export function certificationChain(
  leaf: X509Certificate,
  roots: readonly X509Certificate[],
  intermediates: readonly X509Certificate[],
): readonly X509Certificate[] {
  const root = roots.find((candidate) => isIssuedBy(leaf, candidate));
  if (root !== undefined) {
    return [leaf, root];
  }
  const issuer = intermediates.find((candidate) => !same(candidate, leaf) && isIssuedBy(leaf, candidate));
  if (issuer === undefined) {
    throw new Error("x509: certificate signed by unknown authority");
  }
  return [leaf, ...certificationChain(issuer, roots, without(intermediates, issuer))];
}

export function same(one: X509Certificate, other: X509Certificate): boolean {
  return one.raw.equals(other.raw);
}

export function hasExpired(certificate: X509Certificate, now: Date): boolean {
  return now > new Date(certificate.validTo);
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function without(certificates: readonly X509Certificate[], one: X509Certificate): readonly X509Certificate[] {
  return certificates.filter((certificate) => certificate !== one);
}
