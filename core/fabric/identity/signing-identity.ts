import { createHash } from "node:crypto";
import { type Identity, type Signer, signers } from "@hyperledger/fabric-gateway";
import { FabricError } from "../../error.ts";
import { matchesPrivateKey } from "./certificate.ts";
import type { Credential } from "./certificate-authority.ts";
import { creatorBytes } from "./creator.ts";
import { readPrivateKey } from "./private-key.ts";

/** An identity that signs messages to Fabric. */
export interface SigningIdentity {
  readonly mspId: string;
  /** The identity as message headers carry it. */
  readonly creator: Uint8Array;
  /** ECDSA over SHA-256 of the message, low-S, DER. */
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** The same identity for @hyperledger/fabric-gateway. */
  readonly gateway: { readonly identity: Identity; readonly signer: Signer };
}

/** Throws `invalid` when the private key does not belong to the certificate. */
export function newSigningIdentity(mspId: string, { certificate, privateKey }: Credential): SigningIdentity {
  if (!matchesPrivateKey(certificate, privateKey)) {
    throw new FabricError("invalid", `expected the private key of ${mspId}'s certificate, found another`);
  }
  const signer = signers.newPrivateKeySigner(readPrivateKey(privateKey));
  return {
    mspId,
    creator: creatorBytes(mspId, certificate),
    sign: (message) => signer(createHash("sha256").update(message).digest()),
    gateway: { identity: { mspId, credentials: Buffer.from(certificate) }, signer },
  };
}
