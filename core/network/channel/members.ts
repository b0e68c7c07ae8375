import { FabricError } from "../../error.ts";
import { joined, type Remedy } from "../../remedy.ts";
import { readBlock } from "../../fabric/node/block.ts";
import { configOf, organizationsOf } from "../../fabric/channel/config.ts";
import { peerChannels, peerConfigBlock } from "../../fabric/channel/peer-channels.ts";
import { ifAnswered } from "../../engine/if-answered.ts";
import type { Step } from "../../engine/step.ts";
import { readGenesis } from "./channel.ts";
import type { OpenNetwork } from "../session/open-network.ts";
import { reachOrganization } from "../session/reach.ts";
import type { PeerOrganization } from "../resources/spec.ts";

/**
 * All these organizations are members of the channel, if it exists: peers of another one would join, get no block, and could never leave.
 * Throws `conflict`, before anything is done.
 */
export function membersStep(network: OpenNetwork, channel: string, wanted: readonly PeerOrganization[]): Step {
  return {
    id: `${channel}/members`,
    title: "members of the channel",
    after: [],
    isCheck: true,
    async observe({ signal }) {
      await checkMembers(network, channel, wanted, signal);
      return { is: "so" };
    },
  };
}

/** Throws `conflict` when one of these organizations is no member of the channel, if its genesis block is there. */
export async function checkMembers(
  network: OpenNetwork,
  channel: string,
  wanted: readonly PeerOrganization[],
  signal: AbortSignal,
): Promise<void> {
  const members = await channelMembers(network, channel, signal);
  const strangers = wanted.filter(({ mspId }) => members !== undefined && !members.includes(mspId));
  if (strangers.length === 0) return;
  throw new FabricError(
    "conflict",
    `expected members of ${channel} (${members?.join(", ")}), found ${strangers.map(({ name }) => name).join(", ")}: ` +
      "a channel that is there takes no further organization yet",
    { hint: hintFor(network, channel, members ?? []) },
  );
}

function hintFor({ definition }: OpenNetwork, channel: string, members: readonly string[]): Remedy {
  const own = definition.spec.peerOrganizations.filter(({ mspId }) => members.includes(mspId)).map(({ name }) => name);
  const another: Remedy = [{ operation: "join", of: "ANOTHER" }, " makes a channel of all"];
  return own.length === 0
    ? another
    : joined([{ operation: "join", of: channel, with: { organizations: own } }, another], "; ");
}

/**
 * MSP IDs of the members: from the configuration in force at a peer that has joined, else from the genesis block; undefined without one.
 */
async function channelMembers(
  network: OpenNetwork,
  channel: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const genesis = await readGenesis(network, channel, signal);
  if (!genesis) return undefined;
  for (const organization of network.definition.spec.peerOrganizations) {
    const members = await membersAt(network, organization, channel, signal);
    if (members) return members;
  }
  return organizationsOf(configOf(readBlock(genesis)).config, "application");
}

/** Undefined where the organization's peer does not run, has not joined, or is not for this user to ask. */
async function membersAt(
  network: OpenNetwork,
  organization: PeerOrganization,
  channel: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const members = async () => {
    const client = await reachOrganization(network, organization, signal);
    if (!(await peerChannels(client)).includes(channel)) return undefined;
    const block = await peerConfigBlock(client, channel);
    return organizationsOf(configOf(block).config, "application");
  };
  return ifAnswered(members(), signal);
}
