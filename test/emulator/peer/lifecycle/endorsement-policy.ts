import { common, msp, peer } from "@hyperledger/fabric-protos";
import type { ChannelConfig } from "../../channel/channel-config.ts";
import type { State } from "../../ledger/state.ts";
import { newSignaturePolicy, type Policy } from "../../policy/policy.ts";
import { lifecycleNamespace, readDefinition } from "./definition.ts";

const defaultPolicy = "/Channel/Application/Endorsement";
const lifecyclePolicy = "/Channel/Application/LifecycleEndorsement";
const implicitPrefix = "_implicit_org_";

/** The collection in which each organization keeps its approvals. */
export function implicitCollection(mspId: string): string {
  return implicitPrefix + mspId;
}

export function organizationOfImplicit(collection: string): string | undefined {
  return collection.startsWith(implicitPrefix) ? collection.slice(implicitPrefix.length) : undefined;
}

/** What a definition without an endorsement policy gets (core/chaincode/lifecycle/lifecycle.go). */
export function defaultPolicyBytes(config: ChannelConfig): Uint8Array {
  if (config.policies.policy(defaultPolicy) === undefined) {
    throw new Error(
      `policy '${defaultPolicy}' must be defined for channel '${config.channelId}' before chaincode operations can be attempted`,
    );
  }
  const policy = new peer.ApplicationPolicy();
  policy.setChannelConfigPolicyReference(defaultPolicy);
  return policy.serializeBinary();
}

/** The policy that a write into a namespace, or into one of its collections, must be endorsed by; throws when there is none. */
export function endorsementPolicy(
  namespace: string,
  collection: string | undefined,
  config: ChannelConfig,
  state: State,
): Policy {
  const organization = collection === undefined ? undefined : organizationOfImplicit(collection);
  if (organization !== undefined) {
    return reference(`/Channel/Application/${organization}/Endorsement`, config);
  }
  if (namespace === lifecycleNamespace) {
    return config.policies.policy(lifecyclePolicy) ?? majorityOfMembers(config);
  }
  const definition = readDefinition(namespace, { get: (key) => state.get(lifecycleNamespace, key)?.value });
  if (definition === undefined) {
    throw new Error(`chaincode ${namespace} not found`);
  }
  const own = collection === undefined ? undefined : collectionPolicy(definition.collections, collection);
  return (
    (own && applicationPolicy(own, config)) ??
    applicationPolicy(
      peer.ApplicationPolicy.deserializeBinary(definition.validation.getValidationParameter_asU8()),
      config,
    )
  );
}

/** Which organizations may have a collection's data; undefined for a collection that is not defined. */
export function collectionMembers(
  namespace: string,
  collection: string,
  config: ChannelConfig,
  state: State,
): { readonly policy: Policy; readonly organizations: readonly string[] } | undefined {
  const organization = organizationOfImplicit(collection);
  if (organization !== undefined) {
    return (
      config.organization(organization) && { policy: memberOf(organization, config), organizations: [organization] }
    );
  }
  const members = staticCollection(namespace, collection, state)?.getMemberOrgsPolicy()?.getSignaturePolicy();
  return members && { policy: newSignaturePolicy(members, config.msps), organizations: organizationsOf(members) };
}

export function staticCollection(
  namespace: string,
  collection: string,
  state: State,
): peer.StaticCollectionConfig | undefined {
  const definition = readDefinition(namespace, { get: (key) => state.get(lifecycleNamespace, key)?.value });
  return definition?.collections
    .getConfigList()
    .map((one) => one.getStaticCollectionConfig())
    .find((one) => one?.getName() === collection);
}

function collectionPolicy(collections: peer.CollectionConfigPackage, name: string): peer.ApplicationPolicy | undefined {
  return collections
    .getConfigList()
    .map((one) => one.getStaticCollectionConfig())
    .find((one) => one?.getName() === name)
    ?.getEndorsementPolicy();
}

function applicationPolicy(policy: peer.ApplicationPolicy, config: ChannelConfig): Policy {
  const signature = policy.getSignaturePolicy();
  return signature === undefined
    ? reference(policy.getChannelConfigPolicyReference(), config)
    : newSignaturePolicy(signature, config.msps);
}

function reference(path: string, config: ChannelConfig): Policy {
  const policy = config.policies.policy(path);
  if (policy === undefined) {
    throw new Error(`failed to retrieve policy for reference ${path}`);
  }
  return policy;
}

/** What `_lifecycle` falls back to in channels without the policy (LifecycleEndorsementPolicyAsBytes). */
function majorityOfMembers(config: ChannelConfig): Policy {
  const organizations = config.applicationOrganizations ?? [];
  const needed = Math.floor(organizations.length / 2) + 1;
  return newSignaturePolicy(
    outOf(
      needed,
      organizations.map(({ mspId }) => mspId),
    ),
    config.msps,
  );
}

function memberOf(mspId: string, config: ChannelConfig): Policy {
  return newSignaturePolicy(outOf(1, [mspId]), config.msps);
}

function outOf(needed: number, mspIds: readonly string[]): common.SignaturePolicyEnvelope {
  const gate = new common.SignaturePolicy.NOutOf();
  gate.setN(needed);
  const envelope = new common.SignaturePolicyEnvelope();
  mspIds.forEach((mspId, index) => {
    const role = new msp.MSPRole();
    role.setMspIdentifier(mspId);
    role.setRole(msp.MSPRole.MSPRoleType.MEMBER);
    const principal = new msp.MSPPrincipal();
    principal.setPrincipalClassification(msp.MSPPrincipal.Classification.ROLE);
    principal.setPrincipal(role.serializeBinary());
    envelope.addIdentities(principal);
    const rule = new common.SignaturePolicy();
    rule.setSignedBy(index);
    gate.addRules(rule);
  });
  const rule = new common.SignaturePolicy();
  rule.setNOutOf(gate);
  envelope.setRule(rule);
  return envelope;
}

function organizationsOf(envelope: common.SignaturePolicyEnvelope): readonly string[] {
  return envelope.getIdentitiesList().flatMap((principal) => {
    const bytes = principal.getPrincipal_asU8();
    switch (principal.getPrincipalClassification()) {
      case msp.MSPPrincipal.Classification.ROLE:
        return [msp.MSPRole.deserializeBinary(bytes).getMspIdentifier()];
      case msp.MSPPrincipal.Classification.ORGANIZATION_UNIT:
        return [msp.OrganizationUnit.deserializeBinary(bytes).getMspIdentifier()];
      default:
        return [];
    }
  });
}
