import { createHash, createPrivateKey, webcrypto, type KeyObject } from "node:crypto";
import { X509CertificateGenerator } from "@peculiar/x509";
import { describe, expect, test } from "vitest";
import { generatePrivateKey, publicPoint } from "../../../../../core/fabric/identity/private-key.ts";
import { admin, failure, folderOf, now, read, signs } from "./identity-folder.ts";

const key = (): KeyObject => createPrivateKey(admin.privateKey);
const sec1 = (): string => key().export({ type: "sec1", format: "pem" });
const encrypted = (passphrase: string, keyObject = key()): string =>
  keyObject.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase });
const encryptedSec1 = (passphrase: string): string =>
  key().export({ type: "sec1", format: "pem", cipher: "aes-128-cbc", passphrase });
const identifier = (): string => createHash("sha256").update(publicPoint(key())).digest("hex");

async function selfSigned(algorithm: { readonly name: string }) {
  const pair = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const notAfter = new Date(now.getTime() + 1e9);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    { name: "CN=admin", keys: pair, notBefore: now, notAfter, signingAlgorithm: algorithm },
    webcrypto,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", pair.privateKey));
  return {
    certificate: certificate.toString("pem"),
    key: createPrivateKey({ key: der, format: "der", type: "pkcs8" }),
  };
}

describe("a key", () => {
  const withKey = (...keys: readonly string[]) =>
    folderOf({
      "signcerts/c": admin.certificate,
      ...Object.fromEntries(keys.map((text, at) => [`keystore/${at}`, text])),
    });

  test("in SEC1, with and without the curve before it", async () => {
    const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    expect(await signs(withKey(sec1()))).toBe(admin.certificate);
    expect(await signs(withKey(parameters + sec1()))).toBe(admin.certificate);
  });

  test.each<[string, () => string]>([
    ["PKCS#8", () => encrypted("secret")],
    ["the older form", () => encryptedSec1("secret")],
    ["Fabric's own keystore", () => encryptedSec1("secret").replaceAll("EC PRIVATE KEY", "PRIVATE KEY")],
  ])("encrypted, in %s, is opened by the passphrase that fits", async (_, pem) => {
    expect(await signs(withKey(pem()), ["wrong", "secret"])).toBe(admin.certificate);
    const error = await failure(read(withKey(pem()), ["wrong", "", "x".repeat(5000)]));
    expect(error).toMatchObject({
      code: "usage",
      message: expect.stringMatching(/^expected the passphrase of .*keystore\/0, /),
    });
    expect(error.message).not.toContain("wrong");
  });

  test("encrypted is asked for only when no other is the right one, the one of its name first", async () => {
    const stranger = encrypted("x", createPrivateKey(generatePrivateKey()));
    const asked: string[] = [];
    await read(withKey(encrypted("x"), stranger, sec1()), ["x"], asked);
    expect(asked).toEqual([]);
    const folder = folderOf({
      "signcerts/c": admin.certificate,
      "keystore/0": stranger,
      [`keystore/${identifier()}_sk`]: encrypted("x"),
    });
    await read(folder, ["x"], asked);
    expect(asked).toEqual([`${identifier()}_sk`]);
  });

  test("on P-384 and of Ed25519 signs", async () => {
    const curves = [{ name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }, { name: "Ed25519" }] as const;
    for (const algorithm of curves) {
      const { certificate, key } = await selfSigned(algorithm);
      const folder = folderOf({ signcerts: certificate, keystore: key.export({ type: "pkcs8", format: "pem" }) });
      expect(await signs(folder)).toContain("CERTIFICATE");
    }
  });

  test("of RSA does not sign in Fabric, in PKCS#1 or PKCS#8", async () => {
    const publicExponent = Buffer.of(1, 0, 1);
    const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent, modulusLength: 2048 };
    const { certificate, key } = await selfSigned(rsa);
    for (const type of ["pkcs1", "pkcs8"] as const) {
      const folder = folderOf({
        signcerts: certificate,
        keystore: key.export({ type, format: "pem" }),
      });
      expect(await failure(read(folder))).toMatchObject({
        code: "invalid",
        message: "expected a key on P-256 or P-384, or Ed25519, found RSA",
      });
    }
  });
});
