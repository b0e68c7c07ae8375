import { peer } from "@hyperledger/fabric-protos";
import { z } from "zod";
import { FabricError } from "../../error.ts";
import { channelPolicy, memberPolicy, parseEndorsementPolicy } from "../policy/endorsement-policy.ts";
import { goFields } from "../go-fields.ts";
import { describeProblem, readJson } from "../json-text.ts";
import { parseSignaturePolicy, type SignaturePolicy } from "../policy/signature-policy.ts";

/** A private data collection, its fields named as in the peer command's JSON (internal/peer/chaincode/common.go, collectionConfigJson). */
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
  const read = readJson(text);
  if ("problem" in read) {
    throw new FabricError("usage", `expected JSON in the collections file: ${describeProblem(read.problem)}`);
  }
  if (!Array.isArray(read.value))
    throw new FabricError("usage", "expected a list of collections, found something else");
  return read.value.map(readCollection);
}

/** Unlike Go, this refuses unknown fields: a mistyped memberOnlyRead would be lost. */
const collectionSchema = z.strictObject({
  name: z.string(),
  policy: z.string(),
  requiredPeerCount: z.int32().optional(),
  maxPeerCount: z.int32().optional(),
  blockToLive: z.int().min(0).optional(),
  memberOnlyRead: z.boolean().optional(),
  memberOnlyWrite: z.boolean().optional(),
  endorsementPolicy: z
    .strictObject({ signaturePolicy: z.string().optional(), channelConfigPolicy: z.string().optional() })
    .optional(),
});

const fieldNames = Object.keys(collectionSchema.shape);

function readCollection(value: unknown, index: number): Collection {
  const fields = goFields(value, fieldNames);
  const { name, policy, endorsementPolicy } = fields;
  if (typeof name !== "string" || typeof policy !== "string") {
    throw new FabricError(
      "usage",
      `expected name and policy in collection ${index + 1}, found ${JSON.stringify(value)}`,
    );
  }
  const isObject = typeof endorsementPolicy === "object" && !Array.isArray(endorsementPolicy);
  const endorsement = goFields(endorsementPolicy, ["signaturePolicy", "channelConfigPolicy"]);
  const parsed = collectionSchema.safeParse({ ...fields, ...(isObject ? { endorsementPolicy: endorsement } : {}) });
  if (parsed.success) return parsed.data as Collection;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "fields"}: ${message}`);
  throw new FabricError("usage", `collection ${name}: ${problems.join("; ")}`, {
    hint: `a collection has ${fieldNames.join(", ")}`,
  });
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
  const { signaturePolicy, channelConfigPolicy } = collection.endorsementPolicy ?? {};
  if (signaturePolicy && channelConfigPolicy) {
    throw new FabricError(
      "usage",
      `expected one of signaturePolicy and channelConfigPolicy in collection ${name}, found both`,
    );
  }
  // As in Go, an empty string counts as unset.
  if (channelConfigPolicy) config.setEndorsementPolicy(channelPolicy(channelConfigPolicy));
  else if (signaturePolicy) {
    config.setEndorsementPolicy(ofCollection(name, () => parseEndorsementPolicy(signaturePolicy)));
  }
  const wrapped = new peer.CollectionConfig();
  wrapped.setStaticCollectionConfig(config);
  return wrapped;
}

function memberOrgsPolicy({ name, policy }: Collection): peer.CollectionPolicyConfig {
  const config = new peer.CollectionPolicyConfig();
  const parsed = ofCollection(name, () => parseSignaturePolicy(policy));
  if (!isOr(parsed)) {
    // core/chaincode/lifecycle/scc.go, validateSpOrConcat
    throw new FabricError("usage", `expected OR of organizations as policy of collection ${name}, found ${policy}`, {
      hint: "the policy tells who the members are; who has to endorse is said by endorsementPolicy",
    });
  }
  config.setSignaturePolicy(memberPolicy(policy));
  return config;
}

const isOr = (policy: SignaturePolicy): boolean =>
  policy.type === "signed-by" || (policy.n === 1 && policy.rules.every(isOr));

/** Puts the collection's name before the message of an error in its policy. */
function ofCollection<Result>(name: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof FabricError)) throw cause;
    throw new FabricError(cause.code, `collection ${name}: ${cause.message}`, { hint: cause.hint, cause });
  }
}
