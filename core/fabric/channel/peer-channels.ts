import { common, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { blockEntries } from "../node/block.ts";
import type { CallOptions } from "../node/call-options.ts";
import type { NodeConnection } from "../node/node-connection.ts";
import { propose } from "../node/proposal.ts";
import type { SigningIdentity } from "../identity/signing-identity.ts";

/** How far a peer's ledger of a channel is. */
export interface ChainInfo {
  /** Blocks, the genesis block included. */
  readonly height: number;
  /** Hash of the last block's header, hexadecimal. */
  readonly currentBlockHash: string;
}

/** Channels that a peer has joined (cscc GetChannels), in order. */
export async function peerChannels(
  connection: NodeConnection,
  identity: SigningIdentity,
  options?: CallOptions,
): Promise<readonly string[]> {
  const invocation = { channel: "", chaincode: "cscc", function: "GetChannels" };
  const answer = await propose(connection, identity, invocation, options);
  return peer.ChannelQueryResponse.deserializeBinary(answer)
    .getChannelsList()
    .map((channel) => channel.getChannelId())
    .sort();
}

/**
 * Joins a peer to a channel by its genesis block (cscc JoinChain). An administrator of the peer's organization may.
 * False when it had joined already. Throws `rejected`.
 */
export async function joinPeer(
  connection: NodeConnection,
  identity: SigningIdentity,
  block: common.Block,
  options?: CallOptions,
): Promise<boolean> {
  const invocation = {
    channel: "",
    chaincode: "cscc",
    function: "JoinChain",
    arguments: [block.serializeBinary()],
  };
  try {
    await propose(connection, identity, invocation, options);
    return true;
  } catch (error) {
    // core/ledger/kvledger/kv_ledger_provider.go: the ledger is made first and only once.
    if (error instanceof FabricError && /ledger \[.*\] already exists/.test(error.message)) return false;
    throw error;
  }
}

/** A channel's configuration block in force, from a peer of it (cscc GetConfigBlock). Throws `not-found` when it has not joined. */
export async function peerConfigBlock(
  connection: NodeConnection,
  identity: SigningIdentity,
  channel: string,
  options?: CallOptions,
): Promise<common.Block> {
  const invocation = {
    channel: "",
    chaincode: "cscc",
    function: "GetConfigBlock",
    arguments: [Buffer.from(channel)],
  };
  return common.Block.deserializeBinary(await propose(connection, identity, invocation, options));
}

/** How far a peer is (qscc GetChainInfo). */
export async function chainInfo(
  connection: NodeConnection,
  identity: SigningIdentity,
  channel: string,
  options?: CallOptions,
): Promise<ChainInfo> {
  const answer = await propose(connection, identity, qscc(channel, "GetChainInfo"), options);
  const info = common.BlockchainInfo.deserializeBinary(answer);
  return {
    height: info.getHeight(),
    currentBlockHash: Buffer.from(info.getCurrentblockhash_asU8()).toString("hex"),
  };
}

/** A block of a peer's ledger (qscc GetBlockByNumber). */
export async function peerBlock(
  connection: NodeConnection,
  identity: SigningIdentity,
  channel: string,
  number: number,
  options?: CallOptions,
): Promise<common.Block> {
  const answer = await propose(connection, identity, qscc(channel, "GetBlockByNumber", String(number)), options);
  return common.Block.deserializeBinary(answer);
}

/** The channel that a block belongs to. Throws `invalid`. */
export function channelOf(block: common.Block): string {
  const [first] = blockEntries(block);
  if (!first) throw new FabricError("invalid", "expected a block with a transaction, found an empty one");
  return first.channelHeader.getChannelId();
}

function qscc(channel: string, name: string, ...rest: readonly string[]) {
  return {
    channel,
    chaincode: "qscc",
    function: name,
    arguments: [channel, ...rest].map((argument) => Buffer.from(argument)),
  };
}
