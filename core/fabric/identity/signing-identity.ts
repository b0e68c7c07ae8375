import { createHash, type KeyObject } from "node:crypto";
import { hash, type Hash, type Identity, type Signer, signers } from "@hyperledger/fabric-gateway";
import { FabricError } from "../../error.ts";
import { certificateBytes, certificatePem, matchesPrivateKey } from "./certificate.ts";
import type { Credential } from "./certificate-authority.ts";
import { creatorBytes } from "./creator.ts";
import { readPrivateKey } from "./private-key.ts";

/** An identity that signs messages to Fabric. */
export interface SigningIdentity {
  readonly mspId: string;
  /** The identity as message headers carry it. */
  readonly creator: Uint8Array;
  /** ECDSA over SHA-256 of the message, low-S, DER; or Ed25519 over the message itself. */
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** The same identity for @hyperledger/fabric-gateway. */
  readonly gateway: { readonly identity: Identity; readonly signer: Signer; readonly hash: Hash };
}

/**
 * The identity of a certificate, of several the first, and its private key. Throws `invalid` when the key belongs to another certificate, or
 * is of a kind that does not sign for Fabric.
 */
export function newSigningIdentity(mspId: string, { certificate, privateKey }: Credential): SigningIdentity {
  if (!matchesPrivateKey(certificate, privateKey)) {
    throw new FabricError("invalid", `expected the private key of ${mspId}'s certificate, found another`);
  }
  const key = readPrivateKey(privateKey);
  checkKeyKind(key);
  const signer = signers.newPrivateKeySigner(key);
  // Ed25519 signs the message, not a digest (msp/identities.go, Sign).
  const hashed = key.asymmetricKeyType === "ed25519" ? hash.none : sha256;
  // Fabric sends one certificate, written anew, whatever else is in the file (msp/identities.go, Serialize).
  const pem = certificatePem(certificateBytes(certificate));
  return {
    mspId,
    creator: creatorBytes(mspId, pem),
    sign: (message) => signer(hashed(message)),
    gateway: { identity: { mspId, credentials: Buffer.from(pem) }, signer, hash: hashed },
  };
}

/** SHA-256 with every curve: an MSP's hash is SHA2 (msp/identities.go, getHashOpt). */
const sha256: Hash = (message) => createHash("sha256").update(message).digest();

const curves: ReadonlySet<string | undefined> = new Set(["prime256v1", "secp384r1"]);

/**
 * Throws `invalid` for a key that does not sign here. Fabric itself cannot sign with RSA (fabric-lib-go, bccsp/sw/rsa.go, wants options
 * that msp/identities.go does not give); fabric-gateway has the curves P-256 and P-384.
 */
function checkKeyKind({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): void {
  if (asymmetricKeyType === "ed25519") return;
  if (asymmetricKeyType === "ec" && curves.has(asymmetricKeyDetails?.namedCurve)) return;
  const found = asymmetricKeyType === "ec" ? asymmetricKeyDetails?.namedCurve : asymmetricKeyType?.toUpperCase();
  throw new FabricError("invalid", `expected a key on P-256 or P-384, or Ed25519, found ${found ?? "another curve"}`, {
    hint: "enrol the identity with such a key: Fabric signs with no RSA",
  });
}
