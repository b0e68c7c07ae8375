import { type common, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import {
  parseSignaturePolicy,
  printSignaturePolicy,
  readSignaturePolicy,
  signaturePolicyEnvelope,
} from "./signature-policy.ts";

/**
 * An endorsement policy from what a user writes: a signature policy (`AND('Org1MSP.peer', …)`), or the path of a
 * policy of the channel (`/Channel/Application/Endorsement`). Throws `usage`.
 */
export function parseEndorsementPolicy(text: string): peer.ApplicationPolicy {
  if (/^[^'"()\s]*\/[^'"()\s]*$/.test(text)) return channelPolicy(text);
  const policy = new peer.ApplicationPolicy();
  policy.setSignaturePolicy(signaturePolicyEnvelope(parseSignaturePolicy(text)));
  return policy;
}

/** A policy of the channel by its path, as it is written: so the peer command takes it, and approvals have to be equal byte for byte. */
export function channelPolicy(path: string): peer.ApplicationPolicy {
  const policy = new peer.ApplicationPolicy();
  policy.setChannelConfigPolicyReference(path);
  return policy;
}

/** The inverse of `parseEndorsementPolicy`, from the bytes of a chaincode definition. Throws `invalid`. */
export function printEndorsementPolicy(bytes: Uint8Array): string {
  const policy = peer.ApplicationPolicy.deserializeBinary(bytes);
  if (policy.hasChannelConfigPolicyReference()) return policy.getChannelConfigPolicyReference();
  const signature = policy.getSignaturePolicy();
  if (!signature) throw new FabricError("invalid", "expected an endorsement policy, found an empty one");
  return printSignaturePolicy(readSignaturePolicy(signature));
}

/** Fabric's policy for a definition that names none (core/chaincode/lifecycle/lifecycle.go, DefaultEndorsementPolicyRef). */
export const defaultEndorsementPolicy = "/Channel/Application/Endorsement";

/** The signature policy of a collection's member organizations. Throws `usage`. */
export function memberPolicy(text: string): common.SignaturePolicyEnvelope {
  return signaturePolicyEnvelope(parseSignaturePolicy(text));
}
