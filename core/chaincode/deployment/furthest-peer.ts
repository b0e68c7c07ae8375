import { FabricError } from "../../error.ts";
import type { ChaincodeDefinition } from "../../fabric/chaincode/chaincode-definition.ts";
import {
  committedDefinition,
  committedDefinitions,
  type CommittedDefinition,
} from "../../fabric/chaincode/lifecycle.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { podProblem } from "../../network/operations/pod-problem.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { hostOf, peerNodes, type FabricNode } from "../../network/resources/nodes.ts";
import { eventually } from "../../engine/eventually.ts";
import { ifAnswered } from "../../engine/if-answered.ts";
import type { DeployRequest } from "./deploy-request.ts";
import type { Place } from "./targets.ts";

type Asked = Pick<DeployRequest, "name" | "channel" | "notice">;

/** A definition, and a peer that knows it. */
export interface ToldDefinition {
  readonly definition: ChaincodeDefinition;
  readonly by: NodeClient;
}

/**
 * The newest definition of each chaincode, by name. Several peers are asked: one that has just come back knows only former definitions.
 * Throws when no peer answers.
 */
export async function definitionsOn(
  network: OpenNetwork,
  channel: string,
  peers: readonly FabricNode[],
  signal: AbortSignal,
): Promise<readonly ToldDefinition[]> {
  const answers = await Promise.allSettled(
    peers.map(async (node) => {
      const by = await reachPeer(network, node, signal);
      const definitions = await committedDefinitions(by, channel);
      return definitions.map((definition) => ({ definition, by }));
    }),
  );
  signal.throwIfAborted();
  const refusal = answers.find((answer) => answer.status === "rejected");
  if (refusal && answers.every(({ status }) => status === "rejected")) throw refusal.reason;
  const newest = new Map<string, ToldDefinition>();
  for (const told of answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []))) {
    const { name, sequence } = told.definition;
    if (sequence > (newest.get(name)?.definition.sequence ?? 0)) newest.set(name, told);
  }
  return [...newest.values()].sort((left, right) => (left.definition.name < right.definition.name ? -1 : 1));
}

/** What one peer says is committed. */
interface Answer {
  readonly node: FabricNode;
  readonly committed: CommittedDefinition | undefined;
}

/** A channel's committed definition of a chaincode, and for each organization a gateway that knows it. */
export interface Furthest {
  readonly committed: CommittedDefinition | undefined;
  readonly places: readonly Place[];
}

/**
 * The committed definition of the highest sequence that a peer of the network knows: a peer that has just come back lacks blocks, and knows
 * a former one. A gateway that lags behind is replaced by another peer of its organization; if there is none, it is waited for. Peers that
 * do not answer, or that the user may not ask, are left out, but a failure of the first gateway is thrown. Throws `not-ready` when the
 * deadline comes during the wait.
 */
export async function furthest(
  network: OpenNetwork,
  places: readonly Place[],
  asked: Asked,
  signal: AbortSignal,
): Promise<Furthest> {
  const gateways = new Set(places.slice(0, 1).map(({ gateway }) => hostOf(gateway)));
  const answers = await Promise.all(
    peerNodes(network.definition).map((node) =>
      gateways.has(hostOf(node)) ? answerOf(network, node, asked, signal) : answerIfAny(network, node, asked, signal),
    ),
  );
  const known = answers.filter((answer) => answer !== undefined);
  const committed = known.map((answer) => answer.committed).reduce(newer, undefined);
  const abreast = known.filter((answer) => sequenceOf(answer) === sequenceOf({ committed })).map(({ node }) => node);
  const lagging = known.filter((answer) => sequenceOf(answer) < sequenceOf({ committed }));
  return {
    committed,
    places: await Promise.all(
      places.map(async (place) => {
        const behind = lagging.find(({ node }) => hostOf(node) === hostOf(place.gateway));
        if (!behind) return place;
        const own = abreast.filter(({ organization }) => organization.name === place.organization.name);
        const isChosen = (node: FabricNode) => place.peers.some((peer) => hostOf(peer) === hostOf(node));
        const gateway = own.find(isChosen) ?? own[0];
        if (gateway) return { ...place, gateway };
        await caughtUp(network, behind, sequenceOf({ committed }), asked, signal);
        return place;
      }),
    ),
  };
}

const sequenceOf = ({ committed }: Pick<Answer, "committed">): number => committed?.sequence ?? 0;

/** The one of the higher sequence. */
function newer<Definition extends { readonly sequence: number }>(
  left: Definition | undefined,
  right: Definition | undefined,
): Definition | undefined {
  return (right?.sequence ?? 0) > (left?.sequence ?? 0) ? right : left;
}

async function answerOf(
  network: OpenNetwork,
  node: FabricNode,
  { name, channel }: Asked,
  signal: AbortSignal,
): Promise<Answer> {
  return { node, committed: await committedDefinition(await reachPeer(network, node, signal), channel, name) };
}

function answerIfAny(
  network: OpenNetwork,
  node: FabricNode,
  asked: Asked,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  const answer = async () =>
    (await podProblem(network, node, signal)) === undefined ? answerOf(network, node, asked, signal) : undefined;
  return ifAnswered(answer(), signal);
}

/** A peer fetches what it lacks by itself: from the orderers, or from other peers. */
async function caughtUp(
  network: OpenNetwork,
  { node, committed }: Answer,
  goal: number,
  asked: Asked,
  signal: AbortSignal,
): Promise<void> {
  const { name, channel, notice } = asked;
  const host = hostOf(node);
  let at = sequenceOf({ committed });
  const lags = () => {
    const found = at === 0 ? "none" : `it at ${at}`;
    const message = `expected ${host} to know ${name} at sequence ${goal}, as other peers of ${channel} do, found ${found}`;
    return new FabricError("not-ready", message, {
      hint: [{ operation: "status" }, " shows how far each peer is; type the same command again when it has caught up"],
    });
  };
  const knows = at === 0 ? `no ${name}` : `${name} at sequence ${at}`;
  notice?.(`waits for ${host}: it knows ${knows}, other peers of ${channel} at ${goal}`);
  const look = async () => {
    signal.throwIfAborted();
    at = sequenceOf(await answerOf(network, node, asked, signal));
    if (at < goal) throw lags();
  };
  try {
    await eventually(look, { signal, retry: ["not-ready", "connection"] });
  } catch (error) {
    const { reason } = signal as { readonly reason: unknown };
    throw reason instanceof FabricError && reason.code === "timeout" ? lags() : error;
  }
}
