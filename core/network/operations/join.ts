import type { common } from "@hyperledger/fabric-protos";
import { joinOrderer, ordererChannel } from "../../fabric/channel/channel-participation.ts";
import { readBlock } from "../../fabric/node/block.ts";
import { checkChannelName } from "../../fabric/channel/channel-name.ts";
import { consenters } from "../../fabric/channel/config-change.ts";
import { configOf } from "../../fabric/channel/config.ts";
import { asGiven, genesisBlock } from "../../fabric/channel/genesis.ts";
import { joinPeer, peerBlock, peerChannels } from "../../fabric/channel/peer-channels.ts";
import { FabricError } from "../../error.ts";
import { createOrGet } from "../../kubernetes/objects.ts";
import { ifAnswered } from "../../engine/if-answered.ts";
import type { Step } from "../../engine/step.ts";
import { anchorStep } from "../channel/anchor-step.ts";
import { channelConfigMap, channelConfigMapName, channelGenesis, readGenesis } from "../channel/channel.ts";
import type { Clock } from "../identity/identity-steps.ts";
import { checkMembers, membersStep } from "../channel/members.ts";
import type { OpenNetwork } from "../session/open-network.ts";
import { reachPeer } from "../session/reach.ts";
import { hostOf, nodesOf, ordererNodes, ports, type FabricNode } from "../resources/nodes.ts";
import type { PeerOrganization } from "../resources/spec.ts";

export interface JoinOptions {
  /** Whose peers join; all unless told. */
  readonly organizations?: readonly PeerOrganization[];
  readonly now?: Clock;
}

/** A channel of all organizations: its genesis block, orderers and peers that have joined it, anchor peers. */
export function joinSteps(network: OpenNetwork, channel: string, options: JoinOptions = {}): readonly Step[] {
  const { organizations = network.definition.spec.peerOrganizations, now = () => new Date() } = options;
  checkChannelName(channel);
  const members = membersStep(network, channel, organizations);
  const genesis = genesisStep(network, channel, { wanted: organizations, after: members, now });
  const orderers = ordererNodes(network.definition).map((node) => ordererStep(network, channel, node, genesis));
  const peers = organizations.flatMap(nodesOf).map((node) => peerStep(network, channel, node, genesis));
  const joined = [...orderers, ...peers];
  const anchors = organizations.map((organization) => anchorStep(network, channel, organization, joined));
  return [members, genesis, ...orderers, ...peers, ...anchors];
}

interface GenesisOptions {
  readonly wanted: readonly PeerOrganization[];
  readonly after: Step;
  readonly now: Clock;
}

function genesisStep(network: OpenNetwork, channel: string, { wanted, after, now }: GenesisOptions): Step {
  return {
    id: `${channel}/genesis`,
    title: "genesis block",
    after: [after],
    async observe({ signal }) {
      return (await readGenesis(network, channel, signal))
        ? { is: "so" }
        : {
            is: "differs",
            change: `a channel of ${network.definition.spec.peerOrganizations.map(({ name }) => name).join(", ")}`,
          };
    },
    async act({ signal }) {
      const kept = await keptGenesis(network, channel, signal);
      const block = kept ?? genesisBlock(await channelGenesis(network, channel, signal), { now: now() });
      // Created, never applied: two genesis blocks would be two channels.
      await createOrGet(network.cluster, channelConfigMap(network, channel, block.serializeBinary()), { signal });
      // While the genesis block was lost, `membersStep` could not check this.
      if (kept) await checkMembers(network, channel, wanted, signal);
    },
  };
}

/**
 * The genesis block of a channel whose ConfigMap was lost, from a peer's ledger; undefined when no node that answers has the channel.
 * Throws `conflict` when only orderers have it: another genesis block would make another channel of the same name.
 */
async function keptGenesis(
  network: OpenNetwork,
  channel: string,
  signal: AbortSignal,
): Promise<common.Block | undefined> {
  const ofPeer = async (node: FabricNode) => {
    const client = await reachPeer(network, node, signal);
    const joined = await peerChannels(client);
    return joined.includes(channel) ? peerBlock(client, channel, 0) : undefined;
  };
  const peers = network.definition.spec.peerOrganizations.flatMap(nodesOf);
  const blocks = await Promise.all(peers.map((node) => ifAnswered(ofPeer(node), signal)));
  const kept = blocks.find((block) => block !== undefined);
  if (kept) return asGiven(kept);
  const ofOrderer = async (node: FabricNode) =>
    (await ordererChannel(await adminEndpoint(network, node, signal), channel, { signal })) && hostOf(node);
  const orderers = await Promise.all(
    ordererNodes(network.definition).map((node) => ifAnswered(ofOrderer(node), signal)),
  );
  const having = orderers.filter((host) => host !== undefined);
  if (having.length === 0) return undefined;
  const { namespace } = network.definition.spec.ordererOrganization;
  const place = `ConfigMap ${namespace}/${channelConfigMapName(channel)}`;
  throw new FabricError(
    "conflict",
    `channel ${channel} is there (${having.join(", ")}), but its genesis block, ${place}, is not, and no peer that answers has it`,
    { hint: `once a peer of ${channel} runs, type the same command again; else restore ${place} from a backup` },
  );
}

async function adminEndpoint(network: OpenNetwork, node: FabricNode, signal: AbortSignal) {
  const [plain, { tls }] = await Promise.all([
    network.endpoint(node, ports.ordererAdmin, signal),
    network.administrator(node.organization, signal),
  ]);
  return { ...plain, client: tls };
}

function ordererStep(network: OpenNetwork, channel: string, node: FabricNode, after: Step): Step {
  const endpoint = (signal: AbortSignal) => adminEndpoint(network, node, signal);
  return {
    id: `${channel}/${hostOf(node)}`,
    title: `${hostOf(node)} has joined`,
    after: [after],
    async observe({ signal }) {
      const found = await ordererChannel(await endpoint(signal), channel, { signal });
      if (!found) return { is: "differs", change: partIn(await readGenesis(network, channel, signal), node) };
      const blocks = `${found.height} blocks`;
      return { is: "so", detail: found.consensusRelation === "follower" ? `${blocks}; ${followsOnly}` : blocks };
    },
    async act({ signal }) {
      await joinOrderer(await endpoint(signal), await genesisOf(network, channel, signal), { signal });
    },
  };
}

const followsOnly = "it only follows the channel, which does not name it as a consenter";

/** What an orderer does in a channel that it joins. An orderer that was added to the network after the channel is no consenter of it. */
export function partIn(genesis: Uint8Array | undefined, node: FabricNode): string {
  const named = genesis && consenters(configOf(readBlock(genesis))).map(({ host }) => host);
  return named?.includes(hostOf(node)) === false ? followsOnly : "it orders the channel";
}

function peerStep(network: OpenNetwork, channel: string, node: FabricNode, after: Step): Step {
  return {
    id: `${channel}/${hostOf(node)}`,
    title: `${hostOf(node)} has joined`,
    after: [after],
    async observe({ signal }) {
      const joined = await peerChannels(await reachPeer(network, node, signal));
      return joined.includes(channel) ? { is: "so" } : { is: "differs", change: "it keeps the channel's ledger" };
    },
    async act({ signal }) {
      await joinPeer(await reachPeer(network, node, signal), await genesisOf(network, channel, signal));
    },
  };
}

async function genesisOf(network: OpenNetwork, channel: string, signal: AbortSignal) {
  const bytes = await readGenesis(network, channel, signal);
  if (bytes) return readBlock(bytes);
  throw new FabricError("not-found", `expected the genesis block of ${channel}, found none`, {
    hint: [{ operation: "join", of: channel }, " makes it"],
  });
}
