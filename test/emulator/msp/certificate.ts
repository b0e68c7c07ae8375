import type { X509Certificate } from "node:crypto";

/** The organizational units of a certificate's subject. fabric-ca puts several into one relative distinguished name. */
export function organizationalUnits(certificate: X509Certificate): readonly string[] {
  return certificate.subject
    .split(/\n| ?\+ ?(?=[A-Z]+=)/)
    .filter((part) => part.startsWith("OU="))
    .map((part) => part.slice("OU=".length));
}

/** As `certificationChain`, at the time the leaf was issued: expiry is not looked at, but issuers that came later are (msp/mspimpl.go getUniqueValidationChain). */
export function validCertificationChain(
  leaf: X509Certificate,
  roots: readonly X509Certificate[],
  intermediates: readonly X509Certificate[],
): readonly X509Certificate[] {
  const chain = certificationChain(leaf, roots, intermediates);
  const issued = new Date(new Date(leaf.validFrom).getTime() + 1000);
  for (const certificate of chain) {
    const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
    if (issued < from || issued > to) {
      const bound = issued < from ? `before ${utc(from)}` : `after ${utc(to)}`;
      throw new Error(`x509: certificate has expired or is not yet valid: current time ${utc(issued)} is ${bound}`);
    }
  }
  return chain;
}

function utc(date: Date): string {
  return date.toISOString().replace(".000", "");
}

/** From a leaf to its root, both included; throws when no root is reached. */
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
