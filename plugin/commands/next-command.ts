import { FabricError } from "../error.ts";
import { committedDefinitions } from "../fabric/lifecycle.ts";
import type { Cluster } from "../kube/cluster.ts";
import { channelNames } from "../network/channel.ts";
import { findNetworks } from "../network/definition.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { reachOrganization } from "../network/reach.ts";
import type { FabricNetwork } from "../network/spec.ts";

/** What to type after a command, as long as that is still to be done; undefined also where the user may not look. */
export type NextCommand = Promise<string | undefined>;

/** A network, where there is none. */
export function afterWebhook(cluster: Cluster, signal: AbortSignal): NextCommand {
  return unlessThere(
    "kubectl fabric init",
    async () => (await findNetworks(cluster, () => {}, signal)).size > 0,
    signal,
  );
}

/** A channel, where there is none. */
export function afterInit(cluster: Cluster, network: FabricNetwork, signal: AbortSignal): NextCommand {
  const there = async () => (await channelNames(cluster, network, signal)).length > 0;
  return unlessThere("kubectl fabric join mychannel", there, signal);
}

/** A chaincode, where the channel has none. */
export function afterJoin(network: OpenNetwork, channel: string, signal: AbortSignal): NextCommand {
  const there = async () => {
    const [organization] = network.definition.spec.peerOrganizations;
    if (!organization) return true;
    const { connection, identity } = await reachOrganization(network, organization, signal);
    return (await committedDefinitions(connection, identity, channel, { signal })).length > 0;
  };
  return unlessThere(`kubectl fabric deploy-cc NAME --path DIR --channel ${channel}`, there, signal);
}

async function unlessThere(command: string, there: () => Promise<boolean>, signal: AbortSignal): NextCommand {
  try {
    return (await there()) ? undefined : command;
  } catch (error) {
    // The command itself is done: what cannot be looked at is not told.
    if (signal.aborted || !(error instanceof FabricError)) throw error;
    return undefined;
  }
}
