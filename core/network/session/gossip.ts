import { aMinute, eventually } from "../../engine/eventually.ts";
import { onceEach } from "../../engine/once.ts";
import { ifAnswered } from "../../engine/if-answered.ts";
import type { StepContext } from "../../engine/step.ts";
import { FabricError } from "../../error.ts";
import { channelMembers, type ChannelMember } from "../../fabric/node/discovery.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { connectNode, type NodeConnection } from "../../fabric/node/node-connection.ts";
import { hostOf, peerNodes, ports, type FabricNode } from "../resources/nodes.ts";
import type { OpenNetwork } from "./open-network.ts";

/** Members of a channel by one peer's gossip; undefined when the peer offers no discovery. Throws when it does not answer or refuses. */
export type MembersOf = (node: FabricNode, channel: string) => Promise<readonly ChannelMember[] | undefined>;

/** Milliseconds for one answer: of what is asked again and again, one that comes late is worth nothing. */
const answerWithin = 5000;

/** Asks peers over one connection for each, until it is closed. */
function openGossip(network: OpenNetwork, signal: AbortSignal): { readonly membersOf: MembersOf; close(): void } {
  const connections: NodeConnection[] = [];
  const clientOnce = onceEach<NodeClient>();
  const open = async (node: FabricNode): Promise<NodeClient> => {
    const [endpoint, { identity, tls }] = await Promise.all([
      network.endpoint(node, ports.peer, signal),
      network.administrator(node.organization, signal),
    ]);
    // Discovery answers only who shows a TLS certificate, whichever (discovery/service.go, validateStructure).
    const connection = connectNode({ ...endpoint, client: tls });
    connections.push(connection);
    return { connection, identity, signal, timeout: answerWithin };
  };
  return {
    membersOf: async (node, channel) => channelMembers(await clientOnce(hostOf(node), () => open(node)), channel),
    close: () => connections.forEach((connection) => connection.close()),
  };
}

/** How peers are asked. */
export interface Asking {
  readonly membersOf?: MembersOf;
  /** Milliseconds. */
  readonly within?: number;
}

/**
 * Waits until the other peers on a restarted peer's channels have found it again, with its chaincodes. Until then their gateways do not
 * count it as an endorser, and would find none in its organization if its last other peer went down. Peers that once do not answer, refuse,
 * or offer no discovery are not asked again about that channel. Returns who has not found it within a minute, which is longer than gossip takes (core.yaml,
 * peer.gossip): such peers may never have known it, as before anchor peers are set.
 */
export async function unawareOf(
  network: OpenNetwork,
  node: FabricNode,
  channels: readonly string[],
  { signal, progress }: StepContext,
  { membersOf, within = aMinute }: Asking = {},
): Promise<readonly string[]> {
  const gossip = openGossip(network, signal);
  const address = `${hostOf(node)}:${ports.peer}`;
  const others = peerNodes(network.definition).filter((other) => hostOf(other) !== hostOf(node));
  const silent = new Set<string>();
  const membersBy = async (asked: FabricNode, channel: string) => {
    const view = `${hostOf(asked)} ${channel}`;
    if (silent.has(view)) return undefined;
    const members = await ifAnswered((membersOf ?? gossip.membersOf)(asked, channel), signal);
    if (members === undefined) silent.add(view);
    return members;
  };
  const unawareOn = async (channel: string): Promise<readonly string[]> => {
    const itself = (await membersBy(node, channel))?.find((member) => member.address === address);
    if (!itself) return [];
    const views = await Promise.all(others.map((other) => membersBy(other, channel)));
    return others.filter((_, index) => views[index] && !knows(views[index], itself)).map(hostOf);
  };
  let unaware: readonly string[] = [];
  const look = async () => {
    unaware = [...new Set((await Promise.all(channels.map(unawareOn))).flat())];
    if (unaware.length === 0) return;
    const missing = `not yet known to the gossip of ${unaware.join(", ")}`;
    progress(missing);
    throw new FabricError("not-ready", missing);
  };
  try {
    await eventually(look, { signal, within, retry: ["not-ready"] });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FabricError) || error.code !== "not-ready") throw error;
  } finally {
    gossip.close();
  }
  return unaware;
}

const knows = (members: readonly ChannelMember[], wanted: ChannelMember): boolean =>
  members.some(
    ({ address, chaincodes }) =>
      address === wanted.address && wanted.chaincodes.every((chaincode) => chaincodes.includes(chaincode)),
  );
