import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
  issueTlsCertificate,
  type Credential,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import {
  daysLeft,
  isIssuedBy,
  matchesPrivateKey,
  readCertificate,
  splitCertificates,
} from "../../../../../core/fabric/identity/certificate.ts";
import { serviceHosts } from "../../../../../core/fabric/node/service-hosts.ts";

const now = new Date("2026-03-01T12:00:00Z");
const day = 86_400_000;

let authority: Credential;
let stranger: Credential;
beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: "ca.org1", organization: "Org1", now });
  stranger = await createCertificateAuthority({ commonName: "ca.org1", organization: "Org1", now });
});

describe("a certificate authority", () => {
  test("is self-signed, good for ten years and may sign certificates", () => {
    const info = readCertificate(authority.certificate);
    expect(info).toMatchObject({ commonName: "ca.org1", organization: "Org1", issuer: "ca.org1", isAuthority: true });
    expect(isIssuedBy(authority.certificate, authority.certificate)).toBe(true);
    expect(info.notBefore).toEqual(new Date(now.getTime() - 5 * 60_000));
    expect(info.notAfter).toEqual(new Date(now.getTime() + 3650 * day));
    expect(matchesPrivateKey(authority.certificate, authority.privateKey)).toBe(true);
  });
});

describe("an enrolment certificate", () => {
  test("carries the role as its organizational unit and ends in a year", async () => {
    const { certificate, privateKey } = await issueEnrolmentCertificate(authority, {
      commonName: "peer0.org1",
      role: "peer",
      now,
    });
    expect(readCertificate(certificate)).toMatchObject({
      commonName: "peer0.org1",
      organization: "Org1",
      organizationalUnits: ["peer"],
      hosts: [],
      isAuthority: false,
      notAfter: new Date(now.getTime() + 365 * day),
    });
    expect(privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(isIssuedBy(certificate, authority.certificate)).toBe(true);
    expect(new X509Certificate(certificate).publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  });

  test("can be renewed with the key it had", async () => {
    const request = { commonName: "peer0.org1", role: "peer", now } as const;
    const first = await issueEnrolmentCertificate(authority, request);
    const second = await issueEnrolmentCertificate(authority, { ...request, privateKey: first.privateKey });
    expect(second.certificate).not.toBe(first.certificate);
    expect(matchesPrivateKey(second.certificate, first.privateKey)).toBe(true);
  });

  test("never outlives its authority", async () => {
    const { certificate } = await issueEnrolmentCertificate(authority, {
      commonName: "a",
      role: "client",
      now,
      days: 4000,
    });
    expect(readCertificate(certificate).notAfter).toEqual(readCertificate(authority.certificate).notAfter);
  });

  test("is not issued by an authority that has ended", async () => {
    const later = new Date(now.getTime() + 3651 * day);
    await expect(
      issueEnrolmentCertificate(authority, { commonName: "a", role: "client", now: later }),
    ).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining("ended on 2036-02-27"),
    });
  });

  test("has a low-S signature, every time", async () => {
    const half = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n;
    for (let time = 0; time < 12; time += 1) {
      const { certificate } = await issueEnrolmentCertificate(authority, { commonName: "a", role: "client", now });
      expect(sOf(new X509Certificate(certificate).raw) <= half).toBe(true);
    }
  });
});

describe("a TLS certificate", () => {
  test("names all hosts, addresses as addresses", async () => {
    const hosts = serviceHosts("peer0", "org1");
    const { certificate } = await issueTlsCertificate(authority, { commonName: "peer0.org1", hosts, now });
    expect(readCertificate(certificate).hosts).toEqual([
      "peer0",
      "peer0.org1",
      "peer0.org1.svc",
      "peer0.org1.svc.cluster.local",
      "localhost",
      "127.0.0.1",
    ]);
    const parsed = new X509Certificate(certificate);
    expect(parsed.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(parsed.checkHost("peer0.org1.svc")).toBe("peer0.org1.svc");
    // Extended key usage: server and client.
    expect(parsed.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  });
});

describe("reading certificates", () => {
  test("tells an authority of the same name from the one that signed", async () => {
    const { certificate } = await issueEnrolmentCertificate(authority, { commonName: "a", role: "admin", now });
    expect(isIssuedBy(certificate, stranger.certificate)).toBe(false);
    expect(matchesPrivateKey(certificate, stranger.privateKey)).toBe(false);
  });

  test("counts whole days left, negative after the end", () => {
    const notAfter = new Date("2026-03-11T11:00:00Z");
    expect(daysLeft({ notAfter }, now)).toBe(9);
    expect(daysLeft({ notAfter }, new Date("2026-03-11T12:00:00Z"))).toBe(-1);
  });

  test("splits a bundle", () => {
    const bundle = `subject=x\n${authority.certificate}\n# other\n${stranger.certificate}`;
    expect(splitCertificates(bundle)).toEqual([authority.certificate, stranger.certificate]);
  });

  test.each([
    ["a certificate", () => readCertificate("nonsense")],
    ["a bundle", () => splitCertificates("nonsense")],
    ["a private key", () => matchesPrivateKey(authority.certificate, "nonsense")],
  ])("says what it expected of %s", (_, read) => {
    expect(read).toThrow(/^expected .* PEM, found/);
  });
});

/** The s of a certificate's ECDSA signature, the last integer of the DER. */
function sOf(raw: Uint8Array): bigint {
  const hex = Buffer.from(raw).toString("hex");
  const match = /0220([0-9a-f]{64})$|021f([0-9a-f]{62})$|022100([0-9a-f]{64})$|021e([0-9a-f]{60})$/.exec(hex);
  const s = match?.slice(1).find((group) => group !== undefined);
  if (s === undefined) throw new Error("no signature at the end");
  return BigInt(`0x${s}`);
}
