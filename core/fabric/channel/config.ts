import { common } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { blockEntries } from "../node/block.ts";
import { groupKeys } from "./config-group.ts";

/** A channel's configuration. Messages are mutable: a function that changes one works on a copy (`cloneConfig`). */
export interface ChannelConfig {
  readonly channel: string;
  readonly config: common.Config;
}

/** The configuration that a configuration block holds. Throws `invalid` for any other block. */
export function configOf(block: common.Block): ChannelConfig {
  const [entry] = blockEntries(block);
  if (entry?.channelHeader.getType() !== common.HeaderType.CONFIG) {
    throw new FabricError(
      "invalid",
      `expected a configuration block, found block ${block.getHeader()?.getNumber()} of another kind`,
    );
  }
  const config = common.ConfigEnvelope.deserializeBinary(entry.data).getConfig();
  if (!config?.getChannelGroup()) throw new FabricError("invalid", "expected a configuration with groups, found none");
  return { channel: entry.channelHeader.getChannelId(), config };
}

export function cloneConfig({ channel, config }: ChannelConfig): ChannelConfig {
  return { channel, config: common.Config.deserializeBinary(config.serializeBinary()) };
}

/** A group by its path below the channel: ["Application", "Org1MSP"]. Throws `not-found`. */
export function groupAt(config: common.Config, path: readonly string[]): common.ConfigGroup {
  let group = config.getChannelGroup();
  for (const name of path) group = group?.getGroupsMap().get(name);
  if (group) return group;
  throw new FabricError(
    "not-found",
    `expected the group /Channel/${path.join("/")} in the channel's configuration, found none`,
  );
}

/** MSP IDs of the organizations that run peers, or orderers, in order. */
export function organizationsOf(config: common.Config, kind: keyof typeof groupKeys): readonly string[] {
  return groupAt(config, [groupKeys[kind]])
    .getGroupsMap()
    .getEntryList()
    .map(([name]) => name)
    .sort();
}
