import { setTimeout as sleep } from "node:timers/promises";
import { FabricError, messageOf, type ErrorCode } from "../../error.ts";
import { ordererChannel, ordererChannels } from "../../fabric/channel/channel-participation.ts";
import type { Endpoint } from "../../fabric/node/endpoint.ts";
import { chainInfo, peerChannels } from "../../fabric/channel/peer-channels.ts";
import type { StepContext } from "../../engine/step.ts";
import type { OpenNetwork } from "./open-network.ts";
import { unawareOf } from "./gossip.ts";
import { reachPeer } from "./reach.ts";
import { hostOf, nodesOf, ports, type FabricNode } from "../resources/nodes.ts";
import { organizations } from "../resources/spec.ts";

/** Blocks, by the channels that a node has joined. */
export type Heights = ReadonlyMap<string, number>;

export function channelHeights(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Heights> {
  return node.component === "orderer" ? ordererHeights(network, node, signal) : peerHeights(network, node, signal);
}

async function ordererHeights(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Heights> {
  const endpoint = await ordererAdministration(network, node, signal);
  const names = await ordererChannels(endpoint, { signal });
  const heights = names.map(async (name) => {
    const channel = await ordererChannel(endpoint, name, { signal });
    return [name, channel?.height ?? 0] as const;
  });
  return new Map(await Promise.all(heights));
}

/** The endpoint that an orderer has for its administrator (as osnadmin uses it). */
async function ordererAdministration(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Endpoint> {
  const [endpoint, { tls }] = await Promise.all([
    network.endpoint(node, ports.ordererAdmin, signal),
    network.administrator(node.organization, signal),
  ]);
  return { ...endpoint, client: tls };
}

async function peerHeights(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Heights> {
  const client = await reachPeer(network, node, signal);
  const names = await peerChannels(client);
  const heights = names.map(async (name) => {
    const { height } = await chainInfo(client, name);
    return [name, height] as const;
  });
  return new Map(await Promise.all(heights));
}

/** Channels on which a node is behind, in words; none: it has caught up. Pure. */
export function behind(own: Heights, others: readonly Heights[]): readonly string[] {
  return [...own].flatMap(([channel, height]) => {
    const goal = Math.max(...others.map((heights) => heights.get(channel) ?? 0), 0);
    return height < goal ? [`${channel}: ${height} of ${goal} blocks`] : [];
  });
}

/** How a node is asked. */
export interface CatchingUp {
  readonly heightsOf?: typeof channelHeights;
  /** Milliseconds. */
  readonly pause?: number;
  readonly unaware?: typeof unawareOf;
}

/** Milliseconds: a node that was ready and then cannot be connected for so long has gone again. */
const silence = 120_000;

/** Failures of a node that has just started. */
const notYet: readonly ErrorCode[] = ["connection", "cluster-unreachable", "not-ready", "timeout"];

/**
 * Waits until a restarted node has the blocks that the other nodes of its kind had at that moment, and until the other peers have found a
 * restarted peer by gossip; those that do not answer are left out. Gives the result in words, also when the user may not look. Throws
 * `not-ready`, with what the node lacks, at the command's deadline, and when the node cannot be connected for two minutes. A large ledger
 * takes its time.
 */
export async function caughtUp(
  network: OpenNetwork,
  node: FabricNode,
  context: StepContext,
  { heightsOf = channelHeights, pause = 500, unaware = unawareOf }: CatchingUp = {},
): Promise<string> {
  const { signal, progress } = context;
  let goals: readonly Heights[] | undefined;
  let heard = performance.now();
  for (let lacking = ""; ;) {
    try {
      goals ??= await heightsOfOthers(network, node, heightsOf, signal);
      const own = await heightsOf(network, node, signal);
      lacking = behind(own, goals).join(", ");
      if (lacking === "") {
        const missing = node.component === "peer" ? await unaware(network, node, [...own.keys()], context) : [];
        const but = missing.length === 0 ? "" : `; not yet known to the gossip of ${missing.join(", ")}`;
        return `restarted, has caught up${but}`;
      }
      heard = performance.now();
    } catch (error) {
      if (isOver(signal) && lacking !== "") throw staysBehind(node, lacking);
      if (!(error instanceof FabricError) || signal.aborted) throw error;
      if (error.code === "forbidden") return "restarted; not allowed to look whether it has caught up";
      if (!notYet.includes(error.code)) throw error;
      lacking = messageOf(error);
      // A node that answers too late is still on the way.
      if (error.code === "timeout") heard = performance.now();
      if (performance.now() - heard > silence) throw staysBehind(node, lacking);
    }
    progress(`catches up: ${lacking}`);
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
}

/** Whether it was the command's deadline that ended it. */
function isOver(signal: AbortSignal): boolean {
  const { reason } = signal as { readonly reason: unknown };
  return reason instanceof FabricError && reason.code === "timeout";
}

const staysBehind = (node: FabricNode, lacking: string): FabricError =>
  new FabricError("not-ready", `expected ${hostOf(node)} to catch up after its restart, found ${lacking}`, {
    hint: [
      "no further node is restarted; ",
      { operation: "status" },
      ", then the same command again: it goes on where it stopped",
    ],
  });

/** The heights of the other nodes of its kind; those that do not answer are left out. */
async function heightsOfOthers(
  network: OpenNetwork,
  { component, organization, name }: FabricNode,
  heightsOf: typeof channelHeights,
  signal: AbortSignal,
): Promise<readonly Heights[]> {
  const others = organizations(network.definition)
    .flatMap(nodesOf)
    .filter((other) => other.component === component)
    .filter((other) => other.name !== name || other.organization.name !== organization.name);
  const answers = await Promise.allSettled(others.map((other) => heightsOf(network, other, signal)));
  signal.throwIfAborted();
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
}
