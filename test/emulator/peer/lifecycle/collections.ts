import { msp, type common, type peer } from "@hyperledger/fabric-protos";
import type { ChannelConfig } from "../../channel/channel-config.ts";
import { messageOf } from "../../log.ts";

/** Throws Fabric's text when the collections cannot be used, or not after those committed (core/chaincode/lifecycle/scc.go). */
export function checkCollections(
  proposed: peer.CollectionConfigPackage | undefined,
  committed: peer.CollectionConfigPackage | undefined,
  config: ChannelConfig,
): void {
  const collections = staticOf(proposed);
  const names = new Set<string>();
  for (const collection of collections) {
    checkName(collection.getName(), names);
    checkCounts(collection);
    checkMembers(collection, config);
  }
  checkAgainstCommitted(collections, staticOf(committed));
}

function staticOf(collections: peer.CollectionConfigPackage | undefined): readonly peer.StaticCollectionConfig[] {
  return (collections?.getConfigList() ?? []).map((one) => {
    const collection = one.getStaticCollectionConfig();
    if (collection === undefined) {
      throw new Error("collection configuration is empty");
    }
    return collection;
  });
}

function checkName(name: string, names: Set<string>): void {
  if (!/^[A-Za-z0-9-]+([A-Za-z0-9_-]+)*$/.test(name)) {
    throw new Error(
      `invalid collection name '${name}'. Names can only consist of alphanumerics, '_', and '-' and cannot begin with '_'`,
    );
  }
  if (names.has(name)) {
    throw new Error(`collection-name: ${name} -- found duplicate in collection configuration`);
  }
  names.add(name);
}

function checkCounts(collection: peer.StaticCollectionConfig): void {
  const name = collection.getName();
  const required = collection.getRequiredPeerCount();
  const maximum = collection.getMaximumPeerCount();
  if (maximum < required) {
    throw new Error(
      `collection-name: ${name} -- maximum peer count (${maximum}) cannot be less than the required peer count (${required})`,
    );
  }
  if (required < 0) {
    throw new Error(`collection-name: ${name} -- requiredPeerCount (${required}) cannot be less than zero`);
  }
}

function checkMembers(collection: peer.StaticCollectionConfig, config: ChannelConfig): void {
  const name = collection.getName();
  if (!collection.hasMemberOrgsPolicy()) {
    throw new Error(`collection member policy is not set for collection '${name}'`);
  }
  const policy = collection.getMemberOrgsPolicy()?.getSignaturePolicy();
  if (policy === undefined) {
    throw new Error(`collection member org policy is empty for collection '${name}'`);
  }
  try {
    checkOnlyOr(policy.getRule());
  } catch (error) {
    throw new Error(`collection-name: ${name} -- error in member org policy: ${messageOf(error)}`, { cause: error });
  }
  for (const principal of policy.getIdentitiesList()) {
    const mspId = organizationOf(principal);
    if (mspId !== undefined && config.msps.get(mspId) === undefined) {
      throw new Error(`collection-name: ${name} -- collection member '${mspId}' is not part of the channel`);
    }
  }
}

function organizationOf(principal: msp.MSPPrincipal): string | undefined {
  const bytes = principal.getPrincipal_asU8();
  switch (principal.getPrincipalClassification()) {
    case msp.MSPPrincipal.Classification.ROLE:
      return msp.MSPRole.deserializeBinary(bytes).getMspIdentifier();
    case msp.MSPPrincipal.Classification.ORGANIZATION_UNIT:
      return msp.OrganizationUnit.deserializeBinary(bytes).getMspIdentifier();
    default:
      return undefined;
  }
}

function checkOnlyOr(rule: common.SignaturePolicy | undefined): void {
  const gate = rule?.getNOutOf();
  if (gate === undefined) {
    return;
  }
  if (gate.getN() !== 1) {
    throw new Error(`signature policy is not an OR concatenation, NOutOf ${gate.getN()}`);
  }
  gate.getRulesList().forEach(checkOnlyOr);
}

function checkAgainstCommitted(
  proposed: readonly peer.StaticCollectionConfig[],
  committed: readonly peer.StaticCollectionConfig[],
): void {
  if (committed.length > 0 && proposed.length === 0) {
    throw new Error("the proposed collection config does not contain previously defined collections");
  }
  for (const existing of committed) {
    const found = proposed.find((one) => one.getName() === existing.getName());
    if (found === undefined) {
      throw new Error(`existing collection [${existing.getName()}] missing in the proposed collection configuration`);
    }
    if (found.getBlockToLive() !== existing.getBlockToLive()) {
      throw new Error(
        `the BlockToLive in an existing collection [${existing.getName()}] modified. Existing value [${existing.getBlockToLive()}]`,
      );
    }
  }
}
