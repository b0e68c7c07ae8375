import { msp } from "@hyperledger/fabric-protos";

/** An identity as message headers carry it: MSP ID and certificate (fabric-protos, msp/identities.proto, SerializedIdentity). */
export function creatorBytes(mspId: string, certificate: string): Uint8Array {
  const identity = new msp.SerializedIdentity();
  identity.setMspid(mspId);
  identity.setIdBytes(Buffer.from(certificate));
  return identity.serializeBinary();
}
