import { common, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { blockEntries } from "../node/block.ts";
import { answers, says } from "../node/answers.ts";
import type { NodeClient } from "../node/node-client.ts";
import { propose } from "../node/proposal.ts";

/** The end of a peer's ledger of a channel. */
export interface ChainInfo {
  /** Blocks, the genesis block included. */
  readonly height: number;
  /** Hash of the last block's header, hexadecimal. */
  readonly currentBlockHash: string;
}

/** Channels that a peer has joined (cscc GetChannels), in order. */
export async function peerChannels(client: NodeClient): Promise<readonly string[]> {
  const invocation = { channel: "", chaincode: "cscc", function: "GetChannels" };
  const answer = await propose(client, invocation);
  return peer.ChannelQueryResponse.deserializeBinary(answer)
    .getChannelsList()
    .map((channel) => channel.getChannelId())
    .sort();
}

/**
 * Joins a peer to a channel by its genesis block (cscc JoinChain). Needs an administrator of the peer's organization.
 * False when the peer had joined already. Throws `rejected`.
 */
export async function joinPeer(client: NodeClient, block: common.Block): Promise<boolean> {
  const invocation = {
    channel: "",
    chaincode: "cscc",
    function: "JoinChain",
    arguments: [block.serializeBinary()],
  };
  try {
    await propose(client, invocation);
    return true;
  } catch (error) {
    if (error instanceof FabricError && says(error.message, answers.ledgerExists)) return false;
    throw error;
  }
}

/** A channel's current configuration block, from a peer (cscc GetConfigBlock). Throws `not-found` when the peer has not joined. */
export async function peerConfigBlock(client: NodeClient, channel: string): Promise<common.Block> {
  const invocation = {
    channel: "",
    chaincode: "cscc",
    function: "GetConfigBlock",
    arguments: [Buffer.from(channel)],
  };
  return common.Block.deserializeBinary(await propose(client, invocation));
}

/** Height and last block of a peer's ledger (qscc GetChainInfo). */
export async function chainInfo(client: NodeClient, channel: string): Promise<ChainInfo> {
  const answer = await propose(client, qscc(channel, "GetChainInfo"));
  const info = common.BlockchainInfo.deserializeBinary(answer);
  return {
    height: info.getHeight(),
    currentBlockHash: Buffer.from(info.getCurrentblockhash_asU8()).toString("hex"),
  };
}

/** A block of a peer's ledger (qscc GetBlockByNumber). */
export async function peerBlock(client: NodeClient, channel: string, number: number): Promise<common.Block> {
  const answer = await propose(client, qscc(channel, "GetBlockByNumber", String(number)));
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
