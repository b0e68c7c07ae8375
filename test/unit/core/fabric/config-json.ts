import { common, msp, orderer, peer } from "@hyperledger/fabric-protos";
import { printSignaturePolicy, readSignaturePolicy } from "../../../../core/fabric/policy/signature-policy.ts";

/** A group as people read it: values and policies decoded, versions left out where they are 0. */
export function groupJson(group: common.ConfigGroup): unknown {
  return {
    ...version(group.getVersion()),
    mod_policy: group.getModPolicy(),
    values: Object.fromEntries(
      group
        .getValuesMap()
        .getEntryList()
        .map(([key]) => [key, valueJson(key, group.getValuesMap().get(key))]),
    ),
    policies: Object.fromEntries(
      group
        .getPoliciesMap()
        .getEntryList()
        .map(([key]) => [key, policyJson(group.getPoliciesMap().get(key))]),
    ),
    groups: Object.fromEntries(
      group
        .getGroupsMap()
        .getEntryList()
        .map(([key]) => [key, groupJson(group.getGroupsMap().get(key) ?? new common.ConfigGroup())]),
    ),
  };
}

function valueJson(key: string, value = new common.ConfigValue()): unknown {
  if (value.getModPolicy() === "") return { version: value.getVersion() }; // said to be there, not what it is
  const bytes = value.getValue_asU8();
  return { ...version(value.getVersion()), mod_policy: value.getModPolicy(), value: decode(key, bytes) };
}

function decode(key: string, bytes: Uint8Array): unknown {
  switch (key) {
    case "MSP": {
      const config = msp.MSPConfig.deserializeBinary(bytes);
      return texts(msp.FabricMSPConfig.deserializeBinary(config.getConfig_asU8()).toObject());
    }
    case "Capabilities":
      return common.Capabilities.deserializeBinary(bytes)
        .toObject()
        .capabilitiesMap.map(([name]) => name);
    case "HashingAlgorithm":
      return common.HashingAlgorithm.deserializeBinary(bytes).toObject();
    case "BlockDataHashingStructure":
      return common.BlockDataHashingStructure.deserializeBinary(bytes).toObject();
    case "ConsensusType": {
      const type = orderer.ConsensusType.deserializeBinary(bytes);
      const metadata =
        type.getType() === "BFT"
          ? orderer.smartbft.Options.deserializeBinary(type.getMetadata_asU8()).toObject()
          : orderer.etcdraft.ConfigMetadata.deserializeBinary(type.getMetadata_asU8()).toObject();
      return { type: type.getType(), state: type.getState(), metadata: texts(metadata) };
    }
    case "Orderers":
      return texts(common.Orderers.deserializeBinary(bytes).toObject());
    case "BatchSize":
      return orderer.BatchSize.deserializeBinary(bytes).toObject();
    case "BatchTimeout":
      return orderer.BatchTimeout.deserializeBinary(bytes).toObject();
    case "ChannelRestrictions":
      return orderer.ChannelRestrictions.deserializeBinary(bytes).toObject();
    case "Endpoints":
      return common.OrdererAddresses.deserializeBinary(bytes).toObject();
    case "AnchorPeers":
      return peer.AnchorPeers.deserializeBinary(bytes).toObject();
    case "ACLs":
      return peer.ACLs.deserializeBinary(bytes).toObject();
    default:
      return Buffer.from(bytes).toString("base64");
  }
}

function policyJson(policy = new common.ConfigPolicy()): unknown {
  if (policy.getModPolicy() === "") return { version: policy.getVersion() };
  const inner = policy.getPolicy() ?? new common.Policy();
  const bytes = inner.getValue_asU8();
  return {
    ...version(policy.getVersion()),
    mod_policy: policy.getModPolicy(),
    policy: inner.getType() === common.Policy.PolicyType.IMPLICIT_META ? metaJson(bytes) : signatureJson(bytes),
  };
}

function metaJson(bytes: Uint8Array): string {
  const meta = common.ImplicitMetaPolicy.deserializeBinary(bytes);
  const rule = Object.entries(common.ImplicitMetaPolicy.Rule).find(([, number]) => number === meta.getRule())?.[0];
  return `${rule} ${meta.getSubPolicy()}`;
}

function signatureJson(bytes: Uint8Array): unknown {
  const envelope = common.SignaturePolicyEnvelope.deserializeBinary(bytes);
  const byRole = envelope.getIdentitiesList().every((principal) => principal.getPrincipalClassification() === 0);
  return byRole ? printSignaturePolicy(readSignaturePolicy(envelope)) : texts(envelope.toObject());
}

function version(number: number): object {
  return number === 0 ? {} : { version: number };
}

/** Bytes that are text (certificates) as text. */
function texts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(texts);
  if (typeof value === "string") {
    const text = Buffer.from(value, "base64").toString("utf8");
    return /^[ -~\n]{4,}$/.test(text) && Buffer.from(text).toString("base64") === value ? text : value;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, texts(inner)]));
}
