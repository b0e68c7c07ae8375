import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
  type Credential,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import { localMsp } from "../../../../../core/fabric/identity/msp.ts";
import { readToldIdentities } from "../../../../../core/orphans/judgement/told-identity.ts";

const now = new Date("2026-03-01T12:00:00Z");
const work = mkdtempSync(join(tmpdir(), "told-identity-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

let authority: Credential;
let tls: Credential;
beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: "ca.org3", organization: "Org3", now });
  tls = await createCertificateAuthority({ commonName: "tlsca.org3", organization: "Org3", now });
  const identity = await issueEnrolmentCertificate(authority, { commonName: "admin", role: "admin", now });
  const files = localMsp({
    identity,
    rootCertificate: authority.certificate,
    tlsRootCertificate: authority.certificate,
  });
  for (const [name, text] of Object.entries({ ...files, "tlsca.pem": tls.certificate })) {
    mkdirSync(dirname(join(work, name)), { recursive: true });
    writeFileSync(join(work, name), text);
  }
});

const read = (identities: readonly string[], tlsAuthorities: readonly string[] = []) =>
  readToldIdentities({ identities, tlsAuthorities }, { passphrases: () => [], now });

test("each identity comes with the TLS authorities that lie with it, and those that were named for it", async () => {
  const told = [`Org3MSP=${work}`, `Org4MSP=${work}`];
  const found = await read(told, [`Org3MSP=${work}/tlsca.pem`]);
  expect(found.map(({ identity: { mspId }, tlsRootCertificates }) => [mspId, tlsRootCertificates])).toEqual([
    ["Org3MSP", authority.certificate + tls.certificate],
    ["Org4MSP", authority.certificate],
  ]);
});

test.each<[readonly string[], readonly string[], RegExp]>([
  [["Org3MSP"], [], /^expected an MSP ID and where its files are, found "Org3MSP"$/],
  [["Org3MSP="], [], /found "Org3MSP="$/],
  [["Org 3=x"], [], /^expected an MSP ID of letters/],
  [[], ["Org3MSP=x"], /^expected an identity of Org3MSP with its TLS authorities, found none$/],
  [["Org3MSP=/nosuch/msp"], [], /^expected an MSP folder or an entry of a wallet at \/nosuch\/msp, found nothing$/],
  [[`Org3MSP=${work}`], ["Org3MSP=/nosuch.pem"], /^expected certificates in PEM in \/nosuch\.pem, found no such file/],
])("refuses %j with %j", async (identities, tlsAuthorities, message) => {
  await expect(read(identities, tlsAuthorities)).rejects.toMatchObject({
    code: "usage",
    message: expect.stringMatching(message),
  });
});
