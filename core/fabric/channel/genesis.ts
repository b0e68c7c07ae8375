import { common, orderer, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { type BftConsenter, bftBlockValidationPolicy, bftConsensusType, orderersValue } from "./bft.ts";
import { blockDataHash } from "../node/block.ts";
import { bftCapabilities, type Capabilities, capabilitiesValue, defaultCapabilities } from "./capabilities.ts";
import { checkChannelName } from "./channel-name.ts";
import {
  configGroup,
  type GroupContent,
  groupKeys,
  type PolicyText,
  type Serializable,
  valueKeys,
} from "./config-group.ts";
import { mspConfig } from "../identity/msp.ts";
import { channelHeader, newNonce, payload, signatureHeader, transactionId } from "../node/header.ts";
import {
  type OrdererOrganization,
  ordererOrganizationGroup,
  type PeerOrganization,
  peerOrganizationGroup,
} from "./organization-group.ts";
import { type Consenter, raftConsensusType, type RaftOptions } from "./raft.ts";

/** How a channel's orderers agree. BFT needs Fabric 3. */
export type Consensus =
  | { readonly type: "raft"; readonly consenters: readonly Consenter[]; readonly options?: RaftOptions }
  | { readonly type: "bft"; readonly consenters: readonly BftConsenter[] };

/** When the orderer cuts a block. Unset: fabric-samples' test network. */
interface Batch {
  /** A Go duration. */
  readonly timeout?: string | undefined;
  readonly maxMessageCount?: number | undefined;
  /** Bytes that no block exceeds. */
  readonly absoluteMaxBytes?: number | undefined;
  /** Bytes that a block exceeds only for a single large transaction. */
  readonly preferredMaxBytes?: number | undefined;
}

/** The contents of a new channel's genesis block. */
export interface ChannelGenesis {
  readonly name: string;
  readonly consensus: Consensus;
  readonly ordererOrganizations: readonly OrdererOrganization[];
  readonly peerOrganizations: readonly PeerOrganization[];
  readonly batch?: Batch;
  /** Unset: those that Fabric 2.5 and 3 both understand; for BFT, those of Fabric 3. */
  readonly capabilities?: Capabilities;
  /** Policies of /Channel/Application to be added or replaced. */
  readonly applicationPolicies?: Readonly<Record<string, PolicyText>>;
  /** Resource ("peer/Propose") -> policy. Unset: Fabric's defaults (sampleconfig/configtx.yaml, ACLs). */
  readonly accessControl?: Readonly<Record<string, string>>;
}

/** The inputs by which two genesis blocks of one channel differ. Every orderer and peer has to get the same block. */
export interface GenesisMoment {
  readonly now: Date;
  /** Random unless given. */
  readonly nonce?: Uint8Array;
}

const testNetworkBatch = {
  timeout: "2s",
  maxMessageCount: 10,
  absoluteMaxBytes: 99 * 1024 * 1024,
  preferredMaxBytes: 512 * 1024,
} as const satisfies Required<Batch>;

const metaPolicies = {
  Readers: "ANY Readers",
  Writers: "ANY Writers",
  Admins: "MAJORITY Admins",
} as const satisfies Record<string, PolicyText>;

/**
 * The genesis block of an application channel, for orderers without system channel: what configtxgen makes of a
 * profile (internal/configtxgen/encoder/encoder.go, common/genesis/genesis.go). Same input, same bytes.
 * Throws `usage` for what Fabric would refuse.
 */
export function genesisBlock(channel: ChannelGenesis, { now, nonce = newNonce() }: GenesisMoment): common.Block {
  const config = new common.Config();
  config.setChannelGroup(channelGroup(channel));
  const envelope = new common.ConfigEnvelope();
  envelope.setConfig(config);
  const creator = new Uint8Array();
  const header = channelHeader({
    type: common.HeaderType.CONFIG,
    channel: channel.name,
    now: new Date(Math.floor(now.getTime() / 1000) * 1000),
    transactionId: transactionId(nonce, creator),
  });
  const transaction = new common.Envelope();
  transaction.setPayload(
    payload(header, signatureHeader(creator, nonce), envelope.serializeBinary()).serializeBinary(),
  );
  return firstBlock(transaction);
}

/** The configuration that the genesis block holds. Throws `usage`. */
export function channelGroup(channel: ChannelGenesis): common.ConfigGroup {
  checkChannelName(channel.name);
  checkMspDefinitions(channel);
  const { channel: capabilities } = capabilitiesOf(channel);
  return configGroup({
    values: {
      [valueKeys.hashingAlgorithm]: hashingAlgorithm(),
      [valueKeys.blockDataHashingStructure]: blockDataHashingStructure(),
      [valueKeys.capabilities]: capabilitiesValue(capabilities),
    },
    policies: metaPolicies,
    groups: {
      [groupKeys.orderer]: ordererGroup(channel),
      [groupKeys.application]: applicationGroup(channel),
    },
  });
}

function ordererGroup(channel: ChannelGenesis): common.ConfigGroup {
  const { consensus, ordererOrganizations, batch = {} } = channel;
  if (ordererOrganizations.every(({ endpoints }) => endpoints.length === 0)) {
    throw new FabricError("usage", "expected an organization with orderer endpoints, found none");
  }
  return configGroup({
    values: {
      [valueKeys.batchSize]: batchSize(batch),
      [valueKeys.batchTimeout]: batchTimeout(batch),
      [valueKeys.channelRestrictions]: new orderer.ChannelRestrictions(),
      [valueKeys.capabilities]: capabilitiesValue(capabilitiesOf(channel).orderer),
      ...consensusValues(consensus),
    },
    policies: {
      ...metaPolicies,
      BlockValidation: consensus.type === "bft" ? bftBlockValidationPolicy(consensus.consenters) : "ANY Writers",
    },
    groups: groupsByMspId(ordererOrganizations, ordererOrganizationGroup),
  });
}

function applicationGroup(channel: ChannelGenesis): common.ConfigGroup {
  const { peerOrganizations, applicationPolicies = {}, accessControl = {} } = channel;
  return configGroup({
    values: {
      [valueKeys.capabilities]: capabilitiesValue(capabilitiesOf(channel).application),
      ...(Object.keys(accessControl).length > 0 && { [valueKeys.acls]: aclsValue(accessControl) }),
    },
    policies: {
      ...metaPolicies,
      LifecycleEndorsement: "MAJORITY Endorsement",
      Endorsement: "MAJORITY Endorsement",
      ...applicationPolicies,
    },
    groups: groupsByMspId(peerOrganizations, peerOrganizationGroup),
  });
}

function capabilitiesOf({ capabilities, consensus }: ChannelGenesis): Capabilities {
  if (capabilities === undefined) return consensus.type === "bft" ? bftCapabilities : defaultCapabilities;
  if (consensus.type === "bft" && !capabilities.channel.includes("V3_0")) {
    throw new FabricError(
      "usage",
      `expected channel capability V3_0 for BFT, found ${capabilities.channel.join(", ") || "none"}`,
      { hint: "leave the capabilities out, or use Raft for a channel that Fabric 2.5 takes part in" },
    );
  }
  return capabilities;
}

function consensusValues(consensus: Consensus): NonNullable<GroupContent["values"]> {
  if (consensus.type === "raft") {
    return { [valueKeys.consensusType]: raftConsensusType(consensus.consenters, consensus.options) };
  }
  return {
    [valueKeys.consensusType]: bftConsensusType(consensus.consenters),
    [valueKeys.orderers]: orderersValue(consensus.consenters),
  };
}

/** Organizations are groups named by their MSP ID; two of one name would silently be one. */
function groupsByMspId<Organization extends PeerOrganization | OrdererOrganization>(
  organizations: readonly Organization[],
  group: (organization: Organization) => common.ConfigGroup,
): Record<string, common.ConfigGroup> {
  const groups: Record<string, common.ConfigGroup> = {};
  for (const organization of organizations) {
    const { mspId } = organization.msp;
    if (Object.hasOwn(groups, mspId)) {
      throw new FabricError("usage", `expected organizations with different MSP IDs, found ${mspId} twice`);
    }
    groups[mspId] = group(organization);
  }
  return groups;
}

/** An organization may run both peers and orderers, but is one MSP (common/channelconfig/msp.go, ProposeMSP). */
function checkMspDefinitions({ ordererOrganizations, peerOrganizations }: ChannelGenesis): void {
  const definitions = new Map(ordererOrganizations.map(({ msp }) => [msp.mspId, msp]));
  for (const { msp } of peerOrganizations) {
    const other = definitions.get(msp.mspId);
    if (!other || sameMessage(mspConfig(msp), mspConfig(other))) continue;
    throw new FabricError("usage", `expected one definition of ${msp.mspId}, found another for its orderers`, {
      hint: "give both the same authorities, or different MSP IDs",
    });
  }
}

function sameMessage(left: Serializable, right: Serializable): boolean {
  return Buffer.compare(left.serializeBinary(), right.serializeBinary()) === 0;
}

function firstBlock(transaction: common.Envelope): common.Block {
  const data = new common.BlockData();
  data.setDataList([transaction.serializeBinary()]);
  const header = new common.BlockHeader();
  header.setDataHash(blockDataHash(data));
  const block = new common.Block();
  block.setHeader(header);
  block.setData(data);
  block.setMetadata(firstBlockMetadata());
  return block;
}

/** A ledger's first block as the node was given it: the node has written into its metadata since then (kvledger, commit hash). */
export function asGiven(first: common.Block): common.Block {
  const block = first.cloneMessage();
  block.setMetadata(firstBlockMetadata());
  return block;
}

function firstBlockMetadata(): common.BlockMetadata {
  const lastConfig = new common.LastConfig();
  const ordererMetadata = new common.OrdererBlockMetadata();
  ordererMetadata.setLastConfig(lastConfig);
  const list = Object.values(common.BlockMetadataIndex).map(() => new Uint8Array());
  list[common.BlockMetadataIndex.LAST_CONFIG] = metadataBytes(lastConfig.serializeBinary());
  list[common.BlockMetadataIndex.SIGNATURES] = metadataBytes(ordererMetadata.serializeBinary());
  const metadata = new common.BlockMetadata();
  metadata.setMetadataList(list);
  return metadata;
}

function metadataBytes(value: Uint8Array): Uint8Array<ArrayBuffer> {
  const metadata = new common.Metadata();
  metadata.setValue(value);
  return new Uint8Array(metadata.serializeBinary());
}

function hashingAlgorithm(): common.HashingAlgorithm {
  const value = new common.HashingAlgorithm();
  value.setName("SHA256");
  return value;
}

function blockDataHashingStructure(): common.BlockDataHashingStructure {
  const value = new common.BlockDataHashingStructure();
  value.setWidth(0xffffffff); // the only one that Fabric knows (common/channelconfig/util.go)
  return value;
}

function batchSize(batch: Batch): orderer.BatchSize {
  const value = new orderer.BatchSize();
  value.setMaxMessageCount(batch.maxMessageCount ?? testNetworkBatch.maxMessageCount);
  value.setAbsoluteMaxBytes(batch.absoluteMaxBytes ?? testNetworkBatch.absoluteMaxBytes);
  value.setPreferredMaxBytes(batch.preferredMaxBytes ?? testNetworkBatch.preferredMaxBytes);
  return value;
}

function batchTimeout({ timeout }: Batch): orderer.BatchTimeout {
  const value = new orderer.BatchTimeout();
  value.setTimeout(timeout ?? testNetworkBatch.timeout);
  return value;
}

function aclsValue(accessControl: Readonly<Record<string, string>>): peer.ACLs {
  const value = new peer.ACLs();
  for (const [resource, policy] of Object.entries(accessControl)) {
    const entry = new peer.APIResource();
    entry.setPolicyRef(policy);
    value.getAclsMap().set(resource, entry);
  }
  return value;
}
