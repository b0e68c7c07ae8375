import { createPrivateKey, randomBytes } from "node:crypto";
import { common, msp } from "@hyperledger/fabric-protos";
import { definitionFromDirectory, soleFile } from "./definition.ts";
import { Msp } from "./msp.ts";
import { sign } from "./signature.ts";

/** The identity a node signs with. */
export interface Signer {
  readonly mspId: string;
  /** The serialized identity. */
  readonly identity: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** A node's own MSP directory: its organization's MSP and its signing identity. */
export function loadLocalMsp(directory: string, mspId: string): { readonly msp: Msp; readonly signer: Signer } {
  const key = createPrivateKey(soleFile(directory, "keystore"));
  const certificate = soleFile(directory, "signcerts");
  const identity = new msp.SerializedIdentity();
  identity.setMspid(mspId);
  identity.setIdBytes(certificate);
  return {
    msp: new Msp(definitionFromDirectory(directory, mspId)),
    signer: { mspId, identity: identity.serializeBinary(), sign: (message) => sign(message, key) },
  };
}

export function newSignatureHeader(signer: Signer): common.SignatureHeader {
  const header = new common.SignatureHeader();
  header.setCreator(signer.identity);
  header.setNonce(randomBytes(24));
  return header;
}
