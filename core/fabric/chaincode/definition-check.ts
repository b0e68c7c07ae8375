import { peer, type common } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { ChaincodeDefinition } from "./chaincode-definition.ts";
import { organizationsOf, type ChannelConfig } from "../channel/config.ts";
import { mspIdsOf, printSignaturePolicy, readSignaturePolicy, satisfiedWhen } from "../policy/signature-policy.ts";

/**
 * Checks that a channel can use a definition: its policies name organizations and policies of the channel, and ask for endorsements
 * that can exist. Fabric itself accepts an endorsement policy that nobody can satisfy, and rejects each transaction later; or one
 * that is satisfied without endorsement, and then accepts every transaction. Throws `usage`.
 */
export function checkDefinition(
  { channel, config }: ChannelConfig,
  { endorsementPolicy, collections }: Pick<ChaincodeDefinition, "endorsementPolicy" | "collections">,
): void {
  const known = organizationsOf(config, "application");
  const checkPolicy = (what: string, policy: peer.ApplicationPolicy | undefined) => {
    if (!policy) return;
    const reference = policy.getChannelConfigPolicyReference();
    if (reference !== "") checkReference(channel, config, reference, what);
    checkOrganizations(channel, known, policy.getSignaturePolicy(), what);
    checkSatisfiable(policy.getSignaturePolicy(), what);
  };
  checkPolicy("the endorsement policy", peer.ApplicationPolicy.deserializeBinary(endorsementPolicy));
  for (const entry of peer.CollectionConfigPackage.deserializeBinary(collections).getConfigList()) {
    const collection = entry.getStaticCollectionConfig();
    const what = `collection ${collection?.getName()}`;
    checkOrganizations(channel, known, collection?.getMemberOrgsPolicy()?.getSignaturePolicy(), what);
    checkPolicy(`the endorsement policy of ${what}`, collection?.getEndorsementPolicy());
  }
}

function checkOrganizations(
  channel: string,
  known: readonly string[],
  envelope: common.SignaturePolicyEnvelope | undefined,
  what: string,
): void {
  if (!envelope?.hasRule()) return;
  const strangers = mspIdsOf(readSignaturePolicy(envelope)).filter((mspId) => !known.includes(mspId));
  if (strangers.length === 0) return;
  throw new FabricError(
    "usage",
    `expected organizations of ${channel} (${known.join(", ")}) in ${what}, found ${strangers.join(", ")}`,
  );
}

function checkSatisfiable(envelope: common.SignaturePolicyEnvelope | undefined, what: string): void {
  if (!envelope?.hasRule()) return;
  const policy = readSignaturePolicy(envelope);
  const hint: Remedy = ["say another one with ", { setting: "policy" }, ", or in the collections file"];
  switch (satisfiedWhen(policy)) {
    case "never":
      throw new FabricError(
        "usage",
        `expected ${what} to be one that endorsements can satisfy, found ${printSignaturePolicy(policy)}: it asks for more than there are`,
        { hint },
      );
    case "always":
      throw new FabricError(
        "usage",
        `expected ${what} to ask for an endorsement, found ${printSignaturePolicy(policy)}: Fabric takes it as satisfied without any, so anybody could write anything`,
        { hint },
      );
    case "signed":
  }
}

/**
 * "/Channel/Application/Endorsement" is the policy Endorsement of the group Application, and so is "Application/Endorsement", without the
 * first slash from the channel on (common/policies/policy.go, GetPolicy). "Channel/Application/Endorsement" is nothing: a peer commits it, and
 * then refuses every transaction.
 */
function checkReference(channel: string, config: common.Config, reference: string, what: string): void {
  if (hasPolicy(config, reference)) return;
  const meant = [`/${reference}`, `/Channel/Application/${reference}`].find((path) => hasPolicy(config, path));
  throw new FabricError(
    "usage",
    `expected a policy of ${channel} (${policyPaths(config).join(", ")}) in ${what}, found ${reference}`,
    meant === undefined ? {} : { hint: `${meant} is one` },
  );
}

function hasPolicy(config: common.Config, reference: string): boolean {
  const [, absolute, relative = ""] = /^(\/Channel\/)?(.*)$/s.exec(reference) ?? [];
  if (absolute === undefined && reference.startsWith("/")) return false;
  const path = relative.split("/");
  const name = path.pop() ?? "";
  let group = config.getChannelGroup();
  for (const part of path) group = group?.getGroupsMap().get(part);
  return group?.getPoliciesMap().has(name) ?? false;
}

/** Paths of the policies in the group Application. */
function policyPaths(config: common.Config): readonly string[] {
  const application = config.getChannelGroup()?.getGroupsMap().get("Application");
  return (application?.getPoliciesMap().getEntryList() ?? []).map(([name]) => `/Channel/Application/${name}`).sort();
}
