import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type PrivateKeyInput,
} from "node:crypto";
import { FabricError } from "../../error.ts";
import { pemBlocks, printPem, type PemBlock } from "./pem.ts";

/**
 * A new ECDSA key on P-256, the curve that cryptogen and fabric-ca use by default, as the
 * PKCS#8 PEM that cryptogen writes (internal/cryptogen/csp/csp.go).
 */
export function generatePrivateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" });
}

/** Reads the first private key of a PEM text. Throws `invalid` when there is none, or only an encrypted one. */
export function readPrivateKey(pem: string): KeyObject {
  const block = pemBlocks(pem).find(isKeyBlock);
  const key = block && keyOf(block);
  if (typeof key === "object") return key;
  if (key === "locked") {
    throw new FabricError("invalid", "expected a private key in PEM, found an encrypted one", {
      hint: "nobody can be asked for its passphrase here: put the key there without one (openssl pkey)",
    });
  }
  throw new FabricError("invalid", "expected a private key in PEM, found something else");
}

export const isKeyBlock = ({ label }: PemBlock): boolean => label.endsWith("PRIVATE KEY");

/**
 * The key in a block, by its content rather than its label, as Fabric reads it (fabric-lib-go, bccsp/sw/keys.go): PKCS#8, SEC1 or PKCS#1.
 * "locked" when it is encrypted, in either form, and the passphrase does not open it; undefined when it is no key.
 */
export function keyOf(block: PemBlock, passphrase?: string): KeyObject | "locked" | undefined {
  if (!isEncrypted(block)) return firstOf(plainForms(block));
  return (passphrase === undefined ? undefined : firstOf(encryptedForms(block, passphrase))) ?? "locked";
}

const isEncrypted = ({ label, headers }: PemBlock): boolean =>
  label === "ENCRYPTED PRIVATE KEY" || headers.some((header) => /^Proc-Type:.*\bENCRYPTED\b/i.test(header));

const plainForms = ({ bytes }: PemBlock): readonly PrivateKeyInput[] =>
  (["pkcs8", "sec1", "pkcs1"] as const).map((type) => ({ key: Buffer.from(bytes), format: "der", type }));

/** In the older form the label names the content, and Fabric's own keystore writes a SEC1 key as "PRIVATE KEY". */
function encryptedForms(block: PemBlock, passphrase: string): readonly PrivateKeyInput[] {
  if (block.headers.length === 0) {
    return [{ key: Buffer.from(block.bytes), format: "der", type: "pkcs8", passphrase }];
  }
  const labels = new Set([block.label, "EC PRIVATE KEY", "RSA PRIVATE KEY"]);
  return [...labels].map((label) => ({ key: printPem({ ...block, label }), format: "pem", passphrase }));
}

function firstOf(forms: readonly PrivateKeyInput[]): KeyObject | undefined {
  for (const form of forms) {
    try {
      return createPrivateKey(form);
    } catch {
      // another form, or none
    }
  }
  return undefined;
}

/** The uncompressed point of an EC public key (0x04, x, y): what Fabric hashes into a subject key identifier. */
export function publicPoint(key: KeyObject): Uint8Array {
  const { x, y } = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  if (x === undefined || y === undefined) {
    throw new FabricError("invalid", `expected an EC key, found ${key.asymmetricKeyType ?? "an unknown kind"}`);
  }
  return Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}
