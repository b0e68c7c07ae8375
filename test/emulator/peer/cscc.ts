import { common, peer } from "@hyperledger/fabric-protos";
import { isConfigBlock, metadataOf, readBlock, setMetadata } from "../channel/block.ts";
import { ChannelConfig, configOfBlock } from "../channel/channel-config.ts";
import { messageOf } from "../log.ts";
import type { SignedData } from "../policy/policy.ts";
import type { PeerChannels } from "./peer-channels.ts";
import { failure, success } from "./response.ts";

/** The system chaincode that joins channels and tells of them (core/scc/cscc/configure.go). */
export function runCscc(args: readonly Uint8Array[], caller: SignedData, channels: PeerChannels): peer.Response {
  const [name = "", ...rest] = args.map((arg) => Buffer.from(arg));
  const [argument] = rest;
  const functionName = name.toString();
  if (args.length < 1 || (functionName !== "GetChannels" && argument === undefined)) {
    return failure(`Incorrect number of arguments, ${args.length}`);
  }
  switch (functionName) {
    case "JoinChain":
      return joinChain(argument ?? new Uint8Array(), caller, channels);
    case "GetChannels":
      return getChannels(caller, channels);
    case "GetConfigBlock":
      return configBlock(String(argument), caller, channels);
    default:
      return failure(`Requested function ${functionName} not found.`);
  }
}

function joinChain(bytes: Uint8Array, caller: SignedData, channels: PeerChannels): peer.Response {
  let block: common.Block;
  try {
    block = readBlock(bytes);
  } catch (error) {
    return failure(`Failed to reconstruct the genesis block, error unmarshalling Block: ${messageOf(error)}`);
  }
  let channelId = "";
  try {
    const found = configOfBlock(block);
    channelId = found.channelId;
    checkGenesis(block, channelId, found.config);
  } catch (error) {
    return failure(
      `"JoinChain" for channelID = ${channelId} failed because of validation of configuration block, because of ${messageOf(error)}`,
    );
  }
  try {
    channels.acl.check("cscc/JoinChain", undefined, caller);
  } catch (error) {
    return failure(`access denied for [JoinChain][${channelId}]: [${messageOf(error)}]`);
  }
  if (metadataOf(block, common.BlockMetadataIndex.TRANSACTIONS_FILTER).length === 0) {
    setMetadata(block, common.BlockMetadataIndex.TRANSACTIONS_FILTER, Uint8Array.from([0]));
  }
  try {
    channels.join(channelId, block);
    return success();
  } catch (error) {
    return failure(messageOf(error));
  }
}

function checkGenesis(block: common.Block, channelId: string, config: common.Config): void {
  if (!isConfigBlock(block)) {
    throw new Error("Bad configuration envelope");
  }
  if (config.getChannelGroup()?.getGroupsMap().has("Application") !== true) {
    throw new Error("Invalid configuration block, missing Application configuration group");
  }
  void new ChannelConfig(channelId, config);
}

function getChannels(caller: SignedData, channels: PeerChannels): peer.Response {
  try {
    channels.acl.check("cscc/GetChannels", undefined, caller);
  } catch (error) {
    return failure(`access denied for [GetChannels]: ${messageOf(error)}`);
  }
  const response = new peer.ChannelQueryResponse();
  for (const { channelId } of channels.all()) {
    const info = new peer.ChannelInfo();
    info.setChannelId(channelId);
    response.addChannels(info);
  }
  return success(response.serializeBinary());
}

function configBlock(channelId: string, caller: SignedData, channels: PeerChannels): peer.Response {
  const channel = channels.get(channelId);
  try {
    channels.acl.check("cscc/GetConfigBlock", channel?.config, caller);
  } catch (error) {
    const reason = channel === undefined ? `Failed to get policy manager for channel [${channelId}]` : messageOf(error);
    return failure(`access denied for [GetConfigBlock][${channelId}]: ${reason}`);
  }
  if (channel === undefined) {
    return failure(`Unknown channel ID, ${channelId}`);
  }
  return success(channel.ledger.blocks.lastConfigBlock().serializeBinary());
}
