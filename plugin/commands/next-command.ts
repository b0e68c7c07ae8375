import { committedDefinitions } from "../../core/fabric/chaincode/lifecycle.ts";
import type { Cluster } from "../../core/kubernetes/cluster.ts";
import { channelNames } from "../../core/network/channel/channel.ts";
import { findNetworks } from "../../core/network/resources/definition.ts";
import { channelHeights, type Heights } from "../../core/network/session/heights.ts";
import type { OpenNetwork } from "../../core/network/session/open-network.ts";
import { reachOrganization } from "../../core/network/session/reach.ts";
import { hostOf, nodesOf, type FabricNode } from "../../core/network/resources/nodes.ts";
import { organizations, type FabricNetwork, type Organization } from "../../core/network/resources/spec.ts";
import { ifAnswered } from "../../core/engine/if-answered.ts";
import { joined, type Operation, type Remedy } from "../../core/remedy.ts";

/** What to do after a command; undefined when it is done already, or the user may not look. */
export type NextCommand = Promise<Remedy | undefined>;

/** `init`, when there is no network. */
export function afterWebhook(cluster: Cluster, signal: AbortSignal): NextCommand {
  return unlessThere(
    { operation: "init" },
    async () => (await findNetworks(cluster, () => {}, signal)).size > 0,
    signal,
  );
}

/** `join`: when there is no channel, or when new nodes have not joined the channels of other nodes of their organization. */
export async function afterInit(
  network: OpenNetwork,
  signal: AbortSignal,
  heightsOf: typeof channelHeights = channelHeights,
): NextCommand {
  const { cluster, definition } = network;
  const joins = async (): Promise<readonly Operation[]> => {
    if ((await channelNames(cluster, definition, signal)).length === 0) return [{ operation: "join", of: "mychannel" }];
    const nodes = organizations(definition).flatMap(nodesOf);
    const heights = await Promise.all(nodes.map((node) => ifAnswered(heightsOf(network, node, signal), signal)));
    return joinsLeft(definition, new Map(nodes.map((node, index) => [hostOf(node), heights[index]])));
  };
  const left = (await ifAnswered(joins(), signal)) ?? [];
  return left.length === 0 ? undefined : joined(left, "; ");
}

/**
 * The `join` operations for nodes that are in no channel while others of their organization are. Nothing is known of a node that did not
 * answer (undefined). Pure.
 */
export function joinsLeft(
  network: FabricNetwork,
  heights: ReadonlyMap<string, Heights | undefined>,
): readonly Operation[] {
  const channelsOf = (organization: Organization) =>
    new Set(nodesOf(organization).flatMap((node) => [...(heights.get(hostOf(node))?.keys() ?? [])]));
  const isNew = (node: FabricNode) => heights.get(hostOf(node))?.size === 0;
  const withNew = organizations(network).filter((organization) => nodesOf(organization).some(isNew));
  const channels = new Set(withNew.flatMap((organization) => [...channelsOf(organization)]));
  return [...channels].toSorted().map((channel) => {
    const all = network.spec.peerOrganizations;
    const members = all.filter((organization) => channelsOf(organization).has(channel)).map(({ name }) => name);
    const isPart = members.length > 0 && members.length < all.length;
    return { operation: "join", of: channel, ...(isPart ? { with: { organizations: members } } : {}) };
  });
}

/** `deploy`, when the channel has no chaincode. */
export function afterJoin(network: OpenNetwork, channel: string, signal: AbortSignal): NextCommand {
  const there = async () => {
    const [organization] = network.definition.spec.peerOrganizations;
    if (!organization) return true;
    return (await committedDefinitions(await reachOrganization(network, organization, signal), channel)).length > 0;
  };
  return unlessThere({ operation: "deploy", of: "NAME", with: { path: "DIR", channel } }, there, signal);
}

/** A call of the chaincode that a command has deployed. */
export const callOf = (chaincode: string, channel: string): Operation => ({
  operation: "invoke",
  of: [chaincode, "FUNCTION", "[ARGUMENT...]"],
  with: { channel },
});

async function unlessThere(operation: Operation, there: () => Promise<boolean>, signal: AbortSignal): NextCommand {
  return (await ifAnswered(there(), signal)) === false ? operation : undefined;
}
