// Whatever lies where an identity is expected: it is read, or refused in our words. RUNS=100000 for more of it.
import { createPrivateKey } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import { readFileIdentity } from "../../../../../core/fabric/identity/file-identity.ts";
import { pemBlocks, printPem } from "../../../../../core/fabric/identity/pem.ts";
import { wholeNumber } from "../../../../whole-number.ts";

const numRuns = wholeNumber("RUNS") ?? 2000;

const now = new Date("2026-03-01T12:00:00Z");
const authority = await createCertificateAuthority({ commonName: "ca", organization: "Org1", now });
const admin = await issueEnrolmentCertificate(authority, { commonName: "admin", role: "admin", now });
const key = createPrivateKey(admin.privateKey);
const locked = { type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" } as const;

// Folders by the thousand: ten times as long on a disk.
const memory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const work = mkdtempSync(join(memory, "identity-properties-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** Texts that are identities, or parts of them, or nearly. */
const whole = fc.constantFrom(
  admin.certificate,
  admin.privateKey,
  authority.certificate,
  authority.privateKey,
  key.export({ type: "sec1", format: "pem" }),
  key.export(locked),
  key.export({ ...locked, type: "sec1" }),
  JSON.stringify({ credentials: admin, mspId: "Org1MSP", type: "X.509", version: 1 }),
  JSON.stringify({ mspid: "Org1MSP", enrollment: { signingIdentity: "../../k", identity: admin } }),
  "-----BEGIN CERTIFICATE-----\n",
  "-----END PRIVATE KEY-----\n",
  "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
);
const cut = fc
  .tuple(whole, fc.nat(), fc.nat(), fc.string({ maxLength: 8 }))
  .map(([text, from, to, between]) => text.slice(0, from % text.length) + between + text.slice(to % text.length));
const text = fc
  .array(fc.oneof({ weight: 3, arbitrary: whole }, cut, fc.string(), fc.json()), { maxLength: 4 })
  .chain((parts) => fc.constantFrom("", "\n", "\r\n", "\ufeff").map((between) => parts.join(between)));
const content = fc.oneof(
  { weight: 8, arbitrary: text },
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

const parts = ["signcerts", "keystore", "cacerts", "intermediatecerts", "tlscacerts", "msp/signcerts", "msp/keystore"];
const path = fc.oneof(
  fc.tuple(fc.constantFrom(...parts), fc.constantFrom("a", "b.pem", "..data")).map((names) => names.join("/")),
  fc.constantFrom(...parts, "cert.pem", "key.pem", "admin.id", "user.id", "config.yaml", "k-priv"),
);
const file = fc.oneof({ weight: 8, arbitrary: content }, fc.constantFrom("-> a", "-> ..", "-> nowhere"));
const both = { "signcerts/c": admin.certificate, "keystore/k": admin.privateKey };
const folder = fc
  .tuple(
    fc.constantFrom({}, { "signcerts/c": admin.certificate }, { "keystore/k": admin.privateKey }, both),
    fc.dictionary(path, file, { maxKeys: 4 }),
  )
  .map((files): Readonly<Record<string, string | Buffer>> => Object.assign({}, ...files));

let count = 0;
function made(files: Readonly<Record<string, string | Buffer>>): string {
  const root = join(work, String((count += 1)));
  mkdirSync(root);
  for (const [name, content] of Object.entries(files)) {
    const file = join(root, name);
    try {
      mkdirSync(dirname(file), { recursive: true });
      if (typeof content === "string" && content.startsWith("-> ")) symlinkSync(content.slice(3), file);
      else writeFileSync(file, content);
    } catch {
      // A file where another has its folder, or a link that leads nowhere: what is there is good enough.
    }
  }
  return root;
}

const isRefusal = (error: unknown): boolean =>
  error instanceof FabricError && (error.code === "usage" || error.code === "invalid");

test("a folder is an identity, or refused", async () => {
  let read = 0;
  await fc.assert(
    fc.asyncProperty(folder, fc.constantFrom("", "", "/msp", "/admin.id", "/cert.pem"), async (files, below) => {
      const root = made(files);
      const signature = await readFileIdentity("Org1MSP", root + below, { passphrases: () => ["y", "x"], now })
        .then(({ identity }) => identity.sign(Buffer.from("m")))
        .catch((error: unknown) => error);
      rmSync(root, { recursive: true, force: true });
      if (signature instanceof Uint8Array) read += 1;
      expect(signature).toSatisfy((one) => one instanceof Uint8Array || isRefusal(one));
    }),
    { numRuns },
  );
  expect(read, "identities that were read").toBeGreaterThan(0);
}, 600_000);

test("a PEM text is read line by line, and what is read is written again", () => {
  fc.assert(
    fc.property(text, (written) => {
      const blocks = pemBlocks(written);
      const again = pemBlocks(blocks.map(printPem).join("words\n"));
      expect(again).toEqual(blocks);
    }),
    { numRuns },
  );
}, 600_000);
