import { common } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { groupAt, organizationsOf, type ChannelConfig } from "./config.ts";
import { groupKeys } from "./config-group.ts";
import { readSignaturePolicy, type SignaturePolicy } from "../policy/signature-policy.ts";

/** Tells whether the approvals of these organizations (MSP IDs) are enough to commit a definition. */
export type EnoughApprovals = (approved: ReadonlySet<string>) => boolean;

/**
 * The organizations that approved a definition endorse its commit. The channel's policy LifecycleEndorsement decides which are
 * enough; without it, a majority is (core/chaincode/lifecycle/lifecycle.go, LifecycleDefaultEndorsementPolicyBytes). Undefined
 * when the policy names single identities or organizational units: MSP IDs cannot decide it then.
 */
export function enoughApprovals({ config }: ChannelConfig): EnoughApprovals | undefined {
  const mspIds = organizationsOf(config, "application");
  const policy = groupAt(config, [groupKeys.application]).getPoliciesMap().get("LifecycleEndorsement")?.getPolicy();
  if (!policy) return counted(mspIds, majority(mspIds));
  switch (policy.getType()) {
    case common.Policy.PolicyType.IMPLICIT_META:
      return implicit(mspIds, common.ImplicitMetaPolicy.deserializeBinary(policy.getValue_asU8()));
    case common.Policy.PolicyType.SIGNATURE:
      return signed(common.SignaturePolicyEnvelope.deserializeBinary(policy.getValue_asU8()));
    default:
      return undefined;
  }
}

function implicit(mspIds: readonly string[], meta: common.ImplicitMetaPolicy): EnoughApprovals {
  const { ANY, ALL } = common.ImplicitMetaPolicy.Rule;
  const rule = meta.getRule();
  // common/policies/implicitmeta.go, NewPolicy
  return counted(mspIds, rule === ANY ? 1 : rule === ALL ? mspIds.length : majority(mspIds));
}

const majority = ({ length }: readonly string[]): number => Math.floor(length / 2) + 1;

function counted(mspIds: readonly string[], needed: number): EnoughApprovals {
  return (approved) => mspIds.filter((mspId) => approved.has(mspId)).length >= needed;
}

function signed(envelope: common.SignaturePolicyEnvelope): EnoughApprovals | undefined {
  let policy: SignaturePolicy;
  try {
    policy = readSignaturePolicy(envelope);
  } catch (error) {
    if (error instanceof FabricError && error.code === "invalid") return undefined;
    throw error;
  }
  return (approved) => satisfied(policy, approved);
}

/** An organization's peer endorses: it is a member, and no client, administrator or orderer. */
function satisfied(policy: SignaturePolicy, approved: ReadonlySet<string>): boolean {
  if (policy.type === "out-of") return policy.rules.filter((rule) => satisfied(rule, approved)).length >= policy.n;
  const { mspId, role } = policy.principal;
  return (role === "member" || role === "peer") && approved.has(mspId);
}
