import { createHash } from "node:crypto";
import { type Identity, type Signer, signers } from "@hyperledger/fabric-gateway";
import { FabricError } from "../../error.ts";
import { matchesPrivateKey } from "./certificate.ts";
import type { Credential } from "./certificate-authority.ts";
import { creatorBytes } from "./creator.ts";
import { readPrivateKey } from "./private-key.ts";

/** Who signs what is sent to Fabric. */
export interface SigningIdentity {
  readonly mspId: string;
  /** The identity as it stands in headers. */
  readonly creator: Uint8Array;
  /** ECDSA over SHA-256 of the message, low-S, DER. */
  sign(message: Uint8Array): Promise<Uint8Array>;
  /** The same identity for @hyperledger/fabric-gateway. */
  readonly gateway: { readonly identity: Identity; readonly signer: Signer };
}

/** An identity of an organization. Throws `invalid` when the key is not the certificate's. */
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
