import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { FabricError } from "../../error.ts";

/**
 * A new ECDSA key on P-256, the curve that cryptogen and fabric-ca use by default, as the
 * PKCS#8 PEM that cryptogen writes (internal/cryptogen/csp/csp.go).
 */
export function generatePrivateKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" });
}

/** Reads a private key in PEM. Throws `invalid` when it is none. */
export function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new FabricError("invalid", "expected a private key in PEM, found something else", { cause });
  }
}

/** The uncompressed point of an EC public key (0x04, x, y): what Fabric hashes into a subject key identifier. */
export function publicPoint(key: KeyObject): Uint8Array {
  const { x, y } = createPublicKey(key).export({ format: "jwk" });
  if (x === undefined || y === undefined) {
    throw new FabricError("invalid", `expected an EC key, found ${key.asymmetricKeyType ?? "an unknown kind"}`);
  }
  return Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}
