import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { issueEnrolmentCertificate } from "../../../../../core/fabric/identity/certificate-authority.ts";
import { readCertificateBundle } from "../../../../../core/fabric/identity/file-identity.ts";
import { generatePrivateKey } from "../../../../../core/fabric/identity/private-key.ts";
import { admin, authority, cryptogen, failure, folderOf, now, other, read, signs, work } from "./identity-folder.ts";

describe("an MSP folder", () => {
  test("as cryptogen makes it, and the folder above it", async () => {
    const folder = folderOf(
      Object.fromEntries(Object.entries(cryptogen()).map(([name, text]) => [`msp/${name}`, text])),
    );
    expect(await signs(join(folder, "msp"))).toBe(admin.certificate);
    expect(await signs(folder)).toBe(admin.certificate);
    expect((await read(folder)).tlsRootCertificates).toBe(authority.certificate);
  });

  test("of fabric-ca-client: no tlscacerts, two keys after a reenrolment, an issuer's keys beside them", async () => {
    const { "tlscacerts/tlsca.pem": _, "keystore/key.pem": privateKey = "", ...files } = cryptogen();
    const folder = folderOf({
      ...files,
      "keystore/0000_sk": generatePrivateKey(),
      "keystore/ffff_sk": privateKey,
      "keystore/.gitkeep": "",
      IssuerPublicKey: "no PEM",
      "user/SignerConfig": "",
    });
    expect(await signs(folder)).toBe(admin.certificate);
    expect((await read(folder)).tlsRootCertificates).toBe("");
  });

  test("mounted from Secrets: links into ..data, which is a folder", async () => {
    const { "signcerts/cert.pem": certificate = "", "keystore/key.pem": privateKey = "" } = cryptogen();
    const folder = folderOf({
      "signcerts/..2026_03_01/cert.pem": certificate,
      "signcerts/..data": "-> ..2026_03_01",
      "signcerts/cert.pem": "-> ..data/cert.pem",
      "keystore/..2026_03_01/key.pem": privateKey,
      "keystore/..data": "-> ..2026_03_01",
      "keystore/key.pem": "-> ..data/key.pem",
      "keystore/gone.pem": "-> nowhere",
    });
    expect(await signs(folder)).toBe(admin.certificate);
  });

  test.each([
    ["signcerts", "keystore", "tlscacerts"],
    ["msp-cert.pem", "msp-key.pem", "msp-tlsca.pem"],
    ["cert.pem", "key.pem", "tlsca.pem"],
  ])("whose parts are files, as the keys of a Secret: %s, %s, %s", async (signcerts, keystore, tlscacerts) => {
    const folder = folderOf({
      [signcerts]: admin.certificate,
      [keystore]: admin.privateKey,
      [tlscacerts]: authority.certificate,
    });
    expect(await signs(folder)).toBe(admin.certificate);
    expect((await read(folder)).tlsRootCertificates).toBe(authority.certificate);
  });

  test("with intermediate authorities, and a certificate followed by them", async () => {
    const files = cryptogen();
    const folder = folderOf({
      ...files,
      "cacerts/ca.pem": other.certificate,
      "intermediatecerts/ica.pem": authority.certificate,
      "signcerts/cert.pem": `${admin.certificate}${authority.certificate}${other.certificate}`,
      "tlsintermediatecerts/ica.pem": other.certificate,
    });
    expect(await signs(folder)).toBe(admin.certificate);
    expect((await read(folder)).tlsRootCertificates).toBe(authority.certificate + other.certificate);
  });

  test.each<[string, (pem: string) => string | Buffer]>([
    ["words before the certificate", (pem) => `Certificate:\n    Data:\n        Version: 3 (0x2)\n${pem}`],
    ["line ends of Windows", (pem) => pem.replaceAll("\n", "\r\n")],
    ["a byte order mark", (pem) => `\ufeff${pem}`],
    ["UTF-16", (pem) => Buffer.from(`\ufeff${pem}`, "utf16le")],
    ["indentation", (pem) => pem.replaceAll(/^/gm, "    ")],
    ["no line end at the end", (pem) => pem.trimEnd()],
  ])("with %s", async (_, written) => {
    const folder = folderOf({ "signcerts/c": written(admin.certificate), "keystore/k": written(admin.privateKey) });
    expect(await signs(folder)).toBe(admin.certificate);
  });

  test("passes over what is no PEM, broken or too large", async () => {
    const folder = folderOf({
      "signcerts/.DS_Store": Buffer.from([0, 1, 2, 255]),
      "signcerts/a.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
      "signcerts/b.pem": admin.certificate,
      "keystore/a": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
      "keystore/b": Buffer.alloc(1024 * 1024 + 1, "a"),
      "keystore/c": "-----BEGIN PRIVATE KEY-----\n",
      "keystore/d": admin.privateKey,
    });
    expect(await signs(folder)).toBe(admin.certificate);
  });

  test("of several certificates takes the first that has a key and is good", async () => {
    const past = new Date(now.getTime() - 400 * 86_400_000);
    const ended = await issueEnrolmentCertificate(authority, { commonName: "old", role: "admin", now: past });
    const folder = folderOf({
      "signcerts/a.pem": ended.certificate,
      "signcerts/b.pem": other.certificate,
      "signcerts/c.pem": admin.certificate,
      "keystore/a": ended.privateKey,
      "keystore/c": admin.privateKey,
    });
    expect(await signs(folder)).toBe(admin.certificate);
  });
});

describe("a wallet", () => {
  const entry = (change: object = {}) =>
    JSON.stringify({
      credentials: { certificate: admin.certificate, privateKey: admin.privateKey },
      mspId: "Org1MSP",
      type: "X.509",
      version: 1,
      ...change,
    });

  test("of the SDKs: the file of an identity, or a folder with one", async () => {
    const folder = folderOf({ "admin.id": entry() });
    expect(await signs(join(folder, "admin.id"))).toBe(admin.certificate);
    expect(await signs(folder)).toBe(admin.certificate);
  });

  test("with several identities wants one named", async () => {
    const folder = folderOf({ "admin.id": entry(), "user.id": entry() });
    expect(await failure(read(folder))).toMatchObject({
      code: "usage",
      message: `expected one identity in ${folder}, found a wallet of several: admin.id, user.id`,
      hint: `name the file, as ${join(folder, "admin.id")}`,
    });
  });

  test("of fabric-network 1.4: a folder with the key beside it", async () => {
    const identity = { certificate: admin.certificate };
    const told = { name: "admin", mspid: "Org1MSP", roles: null, enrollment: { signingIdentity: "ab12", identity } };
    const folder = folderOf({ admin: JSON.stringify(told), "ab12-priv": admin.privateKey, "ab12-pub": "public" });
    expect(await signs(folder)).toBe(admin.certificate);
    expect(await signs(join(folder, "admin"))).toBe(admin.certificate);
    rmSync(join(folder, "ab12-priv"));
    expect((await failure(read(folder))).message).toBe(
      `expected the private key of Admin@org1 in ${join(folder, "ab12-priv")}, found no such file or folder`,
    );
  });

  test("of another organization, or with a key in a hardware module, is refused", async () => {
    expect((await failure(read(folderOf({ "a.id": entry({ mspId: "Org2MSP" }) })))).message).toMatch(
      /^expected an identity of Org1MSP at .*, found one of Org2MSP$/,
    );
    const hsm = entry({ type: "HSM-X.509", credentials: { certificate: admin.certificate } });
    expect(await failure(read(folderOf({ "a.id": hsm })))).toMatchObject({
      code: "usage",
      message: expect.stringContaining("hardware module"),
    });
  });
});

test("one file with certificate and key will do", async () => {
  expect(await signs(join(folderOf({ "admin.pem": admin.certificate + admin.privateKey }), "admin.pem"))).toBe(
    admin.certificate,
  );
});

describe("refused, with what was found", () => {
  test.each<[string, () => Readonly<Record<string, string>>, RegExp]>([
    ["an empty folder", () => ({}), /^expected signcerts and keystore in .*, found no files$/],
    ["another folder", () => ({ "a.txt": "a", "b.txt": "b" }), /found a\.txt, b\.txt$/],
    ["an organization's MSP", () => ({ "cacerts/ca.pem": authority.certificate }), /found the MSP of an organization/],
    [
      "no certificate",
      () => ({ "signcerts/.gitkeep": "" }),
      /^expected a certificate in PEM in .*signcerts, found none$/,
    ],
    [
      "no keystore",
      () => ({ "signcerts/c": admin.certificate }),
      /^expected the private key of Admin@org1 in .*keystore, found no such file or folder$/,
    ],
    [
      "an empty keystore",
      () => ({ "signcerts/c": admin.certificate, "keystore/.gitkeep": "" }),
      /keystore, found none$/,
    ],
    [
      "another's key",
      () => ({ "signcerts/c": admin.certificate, "keystore/k": generatePrivateKey() }),
      /keystore, found one of another certificate$/,
    ],
    [
      "others' keys",
      () => ({
        "signcerts/c": admin.certificate,
        "keystore/k": generatePrivateKey(),
        "keystore/l": generatePrivateKey(),
      }),
      /keystore, found 2 of other certificates$/,
    ],
    [
      "a key in a hardware module",
      () => ({ "signcerts/c": admin.certificate, "fabric-ca-client-config.yaml": "bccsp:\n    default: PKCS11\n" }),
      /fabric-ca-client-config\.yaml leaves it in a hardware module$/,
    ],
    [
      "the certificate of another organization",
      () => ({ ...cryptogen(), "cacerts/ca.pem": other.certificate }),
      / has issued, found one of ca\.org1$/,
    ],
    [
      "a file that cannot be read",
      () => ({ "signcerts/c": "-> c" }),
      /signcerts, found none that can be read \(.*ELOOP/,
    ],
  ])("%s", async (_name, files, message) => {
    const error = await failure(read(folderOf(files())));
    expect(error).toMatchObject({ code: "usage", message: expect.stringMatching(message) });
  });

  test("nothing there", async () => {
    expect((await failure(read(join(work, "nosuch")))).message).toBe(
      `expected an MSP folder or an entry of a wallet at ${join(work, "nosuch")}, found nothing`,
    );
  });

  test("a certificate that has ended", async () => {
    const later = new Date(now.getTime() + 366 * 86_400_000);
    expect((await failure(read(folderOf(cryptogen()), [], [], later))).message).toMatch(
      /^expected a certificate that is good now in .*signcerts, found one that ended on 2027-03-01T12:00:00\.000Z$/,
    );
  });

  // Root may read everything.
  test.skipIf(process.getuid?.() === 0)("a folder without rights", async () => {
    const folder = folderOf(cryptogen());
    chmodSync(join(folder, "keystore"), 0);
    expect((await failure(read(folder))).message).toMatch(/^cannot read .*keystore: EACCES/);
    chmodSync(join(folder, "keystore"), 0o700);
  });
});

test("TLS authorities come from a file or a folder", async () => {
  const folder = folderOf({ "a.pem": authority.certificate, "b.pem": other.certificate, "c.txt": "no PEM" });
  expect(await readCertificateBundle(folder)).toBe(authority.certificate + other.certificate);
  expect(await readCertificateBundle(join(folder, "a.pem"))).toBe(authority.certificate);
  expect((await failure(readCertificateBundle(join(folder, "c.txt")))).message).toMatch(
    /^expected certificates in PEM in .*c\.txt, found none$/,
  );
});
