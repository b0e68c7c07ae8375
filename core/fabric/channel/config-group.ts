import { common } from "@hyperledger/fabric-protos";
import { implicitMetaPolicy, type ImplicitMetaRule } from "../policy/implicit-meta-policy.ts";
import { parseSignaturePolicy, signaturePolicyEnvelope } from "../policy/signature-policy.ts";

/** Names of groups, values and policies in a channel's configuration (common/channelconfig, common/policies). */
export const groupKeys = { orderer: "Orderer", application: "Application" } as const;

export const valueKeys = {
  msp: "MSP",
  anchorPeers: "AnchorPeers",
  endpoints: "Endpoints",
  capabilities: "Capabilities",
  acls: "ACLs",
  hashingAlgorithm: "HashingAlgorithm",
  blockDataHashingStructure: "BlockDataHashingStructure",
  consensusType: "ConsensusType",
  batchSize: "BatchSize",
  batchTimeout: "BatchTimeout",
  channelRestrictions: "ChannelRestrictions",
  /** BFT only: the consenters with their identities. */
  orderers: "Orderers",
} as const;

/** The policy that a change of an element has to satisfy, unless another is set. */
const adminsPolicy = "Admins";

/** A policy as text: a signature policy (`OR('Org1MSP.admin')`) or an implicit meta policy (`ANY Readers`). */
export type PolicyText = ImplicitMetaRule | `${string}(${string}`;

/** A protobuf message, as far as this needs it. */
export interface Serializable {
  serializeBinary(): Uint8Array;
}

export interface GroupContent {
  readonly values?: Readonly<Record<string, Serializable>>;
  readonly policies?: Readonly<Record<string, PolicyText | common.Policy>>;
  readonly groups?: Readonly<Record<string, common.ConfigGroup>>;
}

/** A group whose elements the group's own policy Admins guards, as configtxgen makes it (encoder.go). */
export function configGroup({ values = {}, policies = {}, groups = {} }: GroupContent): common.ConfigGroup {
  const group = new common.ConfigGroup();
  group.setModPolicy(adminsPolicy);
  for (const [key, value] of Object.entries(values)) setValue(group, key, value);
  for (const [key, policy] of Object.entries(policies)) setPolicy(group, key, policy);
  for (const [key, child] of Object.entries(groups)) group.getGroupsMap().set(key, child);
  return group;
}

/** Sets a value and keeps its modification policy. */
export function setValue(group: common.ConfigGroup, key: string, message: Serializable): void {
  const before = group.getValuesMap().get(key);
  const value = new common.ConfigValue();
  value.setVersion(before?.getVersion() ?? 0);
  value.setModPolicy(before?.getModPolicy() ?? adminsPolicy);
  value.setValue(message.serializeBinary());
  group.getValuesMap().set(key, value);
}

/** Sets a policy and keeps its modification policy. */
export function setPolicy(group: common.ConfigGroup, key: string, policy: PolicyText | common.Policy): void {
  const before = group.getPoliciesMap().get(key);
  const entry = new common.ConfigPolicy();
  entry.setVersion(before?.getVersion() ?? 0);
  entry.setModPolicy(before?.getModPolicy() ?? adminsPolicy);
  entry.setPolicy(typeof policy === "string" ? parsePolicy(policy) : policy);
  group.getPoliciesMap().set(key, entry);
}

function parsePolicy(text: PolicyText): common.Policy {
  return text.includes("(") ? signaturePolicy(text) : implicitMetaPolicy(text as ImplicitMetaRule);
}

function signaturePolicy(text: string): common.Policy {
  const policy = new common.Policy();
  policy.setType(common.Policy.PolicyType.SIGNATURE);
  policy.setValue(signaturePolicyEnvelope(parseSignaturePolicy(text)).serializeBinary());
  return policy;
}
