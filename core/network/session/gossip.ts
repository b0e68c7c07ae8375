import { aMinute, eventually } from "../../engine/eventually.ts";
import { ifAnswered } from "../../engine/if-answered.ts";
import type { StepContext } from "../../engine/step.ts";
import { FabricError } from "../../error.ts";
import { channelMembers, type ChannelMember } from "../../fabric/node/discovery.ts";
import { connectNode } from "../../fabric/node/node-connection.ts";
import { hostOf, peerNodes, ports, type FabricNode } from "../resources/nodes.ts";
import type { OpenNetwork } from "./open-network.ts";

/** Members of a channel by one peer's gossip; undefined when the peer offers no discovery. Throws when it does not answer or refuses. */
export type MembersOf = (
  network: OpenNetwork,
  node: FabricNode,
  channel: string,
  signal: AbortSignal,
) => Promise<readonly ChannelMember[] | undefined>;

const gossipOf: MembersOf = async (network, node, channel, signal) => {
  const [endpoint, { identity, tls }] = await Promise.all([
    network.endpoint(node, ports.peer, signal),
    network.administrator(node.organization, signal),
  ]);
  // Discovery answers only who shows a TLS certificate, whichever (discovery/service.go, validateStructure).
  const connection = connectNode({ ...endpoint, client: tls });
  try {
    return await channelMembers({ connection, identity, signal }, channel);
  } finally {
    connection.close();
  }
};

/** How peers are asked. */
export interface Asking {
  readonly membersOf?: MembersOf;
  /** Milliseconds. */
  readonly within?: number;
}

/**
 * Waits until the other peers on a restarted peer's channels have found it again, with its chaincodes. Until then their gateways do not
 * count it as an endorser, and would find none in its organization if its last other peer went down. Peers that do not answer, refuse, or
 * offer no discovery are left out. Returns who has not found it within a minute, which is longer than gossip takes (core.yaml,
 * peer.gossip): such peers may never have known it, as before anchor peers are set.
 */
export async function unawareOf(
  network: OpenNetwork,
  node: FabricNode,
  channels: readonly string[],
  { signal, progress }: StepContext,
  { membersOf = gossipOf, within = aMinute }: Asking = {},
): Promise<readonly string[]> {
  const address = `${hostOf(node)}:${ports.peer}`;
  const others = peerNodes(network.definition).filter((other) => hostOf(other) !== hostOf(node));
  const membersBy = (asked: FabricNode, channel: string) =>
    ifAnswered(membersOf(network, asked, channel, signal), signal);
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
  }
  return unaware;
}

const knows = (members: readonly ChannelMember[], wanted: ChannelMember): boolean =>
  members.some(
    ({ address, chaincodes }) =>
      address === wanted.address && wanted.chaincodes.every((chaincode) => chaincodes.includes(chaincode)),
  );
