import { peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../error.ts";
import { memberPolicy, parseEndorsementPolicy } from "./endorsement-policy.ts";

/** A private data collection as the peer command's JSON file names its parts (internal/peer/chaincode/common.go, collectionConfigJson). */
export interface Collection {
  readonly name: string;
  /** A signature policy that only tells the members: OR of organizations. */
  readonly policy: string;
  readonly requiredPeerCount?: number;
  readonly maxPeerCount?: number;
  /** Blocks until the data is purged; 0 never. */
  readonly blockToLive?: number;
  readonly memberOnlyRead?: boolean;
  readonly memberOnlyWrite?: boolean;
  readonly endorsementPolicy?: { readonly signaturePolicy?: string; readonly channelConfigPolicy?: string };
}

/** The collections of a definition, serialized; empty for none. Throws `usage` for what Fabric would refuse. */
export function collectionsBytes(collections: readonly Collection[]): Uint8Array {
  if (collections.length === 0) return new Uint8Array();
  const names = collections.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new FabricError("usage", `expected collections with different names, found ${twice} twice`);
  const configs = new peer.CollectionConfigPackage();
  configs.setConfigList(collections.map(collectionConfig));
  return configs.serializeBinary();
}

/** Reads a collections file (JSON, as for `peer lifecycle chaincode --collections-config`). Throws `usage`. */
export function parseCollections(text: string): readonly Collection[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new FabricError("usage", "expected JSON in the collections file, found something else", { cause });
  }
  if (!Array.isArray(parsed)) throw new FabricError("usage", "expected a list of collections, found something else");
  return parsed.map(readCollection);
}

function readCollection(value: unknown, index: number): Collection {
  const { name, policy } = (value ?? {}) as Record<string, unknown>;
  if (typeof name === "string" && typeof policy === "string") return value as Collection;
  throw new FabricError("usage", `expected name and policy in collection ${index + 1}, found ${JSON.stringify(value)}`);
}

function collectionConfig(collection: Collection): peer.CollectionConfig {
  const { name, requiredPeerCount = 0, maxPeerCount = 1, blockToLive = 0 } = collection;
  if (!/^[A-Za-z0-9-]+[A-Za-z0-9_-]*$/.test(name)) {
    // core/chaincode/lifecycle/scc.go, collectionNameRegExp
    throw new FabricError("usage", `expected a collection name, found "${name}"`, {
      hint: 'a collection name has letters, digits, "-" and "_" and does not begin with "_"',
    });
  }
  if (requiredPeerCount < 0 || maxPeerCount < requiredPeerCount) {
    throw new FabricError(
      "usage",
      `expected 0 <= requiredPeerCount <= maxPeerCount in collection ${name}, found ${requiredPeerCount} and ${maxPeerCount}`,
    );
  }
  const config = new peer.StaticCollectionConfig();
  config.setName(name);
  config.setMemberOrgsPolicy(memberOrgsPolicy(collection));
  config.setRequiredPeerCount(requiredPeerCount);
  config.setMaximumPeerCount(maxPeerCount);
  config.setBlockToLive(blockToLive);
  config.setMemberOnlyRead(collection.memberOnlyRead ?? false);
  config.setMemberOnlyWrite(collection.memberOnlyWrite ?? false);
  const endorsement =
    collection.endorsementPolicy?.signaturePolicy ?? collection.endorsementPolicy?.channelConfigPolicy;
  if (endorsement !== undefined) config.setEndorsementPolicy(parseEndorsementPolicy(endorsement));
  const wrapped = new peer.CollectionConfig();
  wrapped.setStaticCollectionConfig(config);
  return wrapped;
}

function memberOrgsPolicy({ policy }: Collection): peer.CollectionPolicyConfig {
  const config = new peer.CollectionPolicyConfig();
  config.setSignaturePolicy(memberPolicy(policy));
  return config;
}
