import type { generate } from "selfsigned";
import type { KeyPair } from "./certificate.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** As long as Kyverno's: a CA for a year, a leaf for 150 days. */
export const AUTHORITY_DAYS = 365;
export const LEAF_DAYS = 150;

/** Certificates begin a little earlier: clocks of a cluster differ. */
const BACKDATED_MS = 5 * MINUTE;

/** selfsigned signs with SHA-1 and RSA unless told otherwise. */
const ALGORITHM = { algorithm: "sha256", keyType: "ec", curve: "P-256" } as const;

/** Loaded when a certificate is made, which is twice a year: it is a third of what a start would load. */
async function newCertificate(...args: Parameters<typeof generate>): ReturnType<typeof generate> {
  const selfsigned = await import("selfsigned");
  return selfsigned.generate(...args);
}

/** Makes certificates: the one place that has randomness. */
export interface Issuer {
  authority(now: Date): Promise<KeyPair>;
  /** A server's certificate for DNS names, signed by an authority, that does not outlive it. */
  leaf(authority: KeyPair, authorityEnds: Date, hosts: readonly string[], now: Date): Promise<KeyPair>;
}

export const issuer: Issuer = {
  async authority(now) {
    // The name tells one CA from the next: verifiers look for an issuer by its name, and these have no key identifiers.
    const pem = await newCertificate([{ name: "commonName", value: `kubectl-fabric webhook CA ${now.getTime()}` }], {
      ...ALGORITHM,
      ...validity(now, AUTHORITY_DAYS),
      extensions: [
        { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
        { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      ],
    });
    return { cert: withNewline(pem.cert), key: pem.private };
  },

  async leaf(authority, authorityEnds, hosts, now) {
    const [commonName = ""] = hosts;
    const { notBeforeDate, notAfterDate } = validity(now, LEAF_DAYS);
    const pem = await newCertificate([{ name: "commonName", value: commonName }], {
      ...ALGORITHM,
      notBeforeDate,
      notAfterDate: notAfterDate < authorityEnds ? notAfterDate : authorityEnds,
      ca: authority,
      extensions: [
        { name: "basicConstraints", cA: false, critical: true },
        { name: "keyUsage", digitalSignature: true, critical: true },
        { name: "extKeyUsage", serverAuth: true },
        // 2 is dNSName.
        { name: "subjectAltName", altNames: hosts.map((value) => ({ type: 2 as const, value })) },
      ],
    });
    return { cert: withNewline(pem.cert), key: pem.private };
  },
};

function validity(now: Date, days: number): { readonly notBeforeDate: Date; readonly notAfterDate: Date } {
  return {
    notBeforeDate: new Date(now.getTime() - BACKDATED_MS),
    notAfterDate: new Date(now.getTime() + days * DAY),
  };
}

function withNewline(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
