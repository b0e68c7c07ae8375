import type { generate } from "selfsigned";
import type { KeyPair } from "./certificate.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

/** As long as Kyverno's: a CA for a year, a leaf for 150 days. */
export const authorityDays = 365;
export const leafDays = 150;

/** Certificates begin earlier, because the clocks of a cluster's machines differ. */
const backdatedMs = 5 * minuteMs;

/** selfsigned's defaults are SHA-1 and RSA. */
const keyAlgorithm = { algorithm: "sha256", keyType: "ec", curve: "P-256" } as const;

/** Loads selfsigned only when a certificate is made, which is twice a year: it would be a third of the code loaded at a start. */
async function newCertificate(...args: Parameters<typeof generate>): ReturnType<typeof generate> {
  const selfsigned = await import("selfsigned");
  return selfsigned.generate(...args);
}

/** Makes certificates. Only this code uses randomness. */
export interface Issuer {
  authority(now: Date): Promise<KeyPair>;
  /** A server's certificate for DNS names, signed by an authority, that does not outlive it. */
  leaf(authority: KeyPair, authorityEnds: Date, hosts: readonly string[], now: Date): Promise<KeyPair>;
}

export const issuer: Issuer = {
  async authority(now) {
    // Each CA has a name of its own: verifiers find an issuer by its name, and our certificates have no key identifiers.
    const pem = await newCertificate([{ name: "commonName", value: `kubectl-fabric webhook CA ${now.getTime()}` }], {
      ...keyAlgorithm,
      ...validity(now, authorityDays),
      extensions: [
        { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
        { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
      ],
    });
    return { cert: withNewline(pem.cert), key: pem.private };
  },

  async leaf(authority, authorityEnds, hosts, now) {
    const [commonName = ""] = hosts;
    const { notBeforeDate, notAfterDate } = validity(now, leafDays);
    const pem = await newCertificate([{ name: "commonName", value: commonName }], {
      ...keyAlgorithm,
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
    notBeforeDate: new Date(now.getTime() - backdatedMs),
    notAfterDate: new Date(now.getTime() + days * dayMs),
  };
}

function withNewline(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
