import { FabricError, type ErrorCode } from "../../error.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { lookAtPod, podProblem, type PodLook } from "../../network/operations/pod-problem.ts";
import { hostOf, nodesOf, type FabricNode } from "../../network/resources/nodes.ts";
import { aMinute, eventually } from "../../engine/eventually.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { AbsentPeer } from "../deployment/late-peer.ts";

/** What a step does at one peer. */
export type PeerWork = Pick<Step, "observe" | "act">;

export interface PeerStep extends Pick<Step, "id" | "title" | "after" | "despite"> {
  /** Which peer does it, looked up anew each time. */
  readonly peer: (signal: AbortSignal) => Promise<FabricNode>;
  readonly at: (node: FabricNode) => PeerWork;
  /** Peers that it takes something from: while one of them is away, what fails may be their failure. */
  readonly beside?: readonly FabricNode[] | undefined;
  /** Milliseconds for a Pod that has gone to come back; a minute unless told. */
  readonly patience?: number | undefined;
}

/** A Pod that is replaced more often than this while one step is at work is not there to work with. */
const mostReturns = 5;
/** So long a new Pod's connections may take: what failed to connect pauses before it tries again. */
const settled: readonly ErrorCode[] = ["connection", "cluster-unreachable"];

/**
 * A step at a peer whose Pod may be replaced while it works, which fails in as many ways as there is work. Only what fails while the Pod
 * stays as it was is a failure: else it is looked at again when the Pod is back, and acts again if it has to. Throws AbsentPeer when it
 * does not come back in time.
 */
export function peerStep(network: OpenNetwork, { peer, at, beside = [], patience = 60_000, ...step }: PeerStep): Step {
  const surviving = async <T>(
    context: StepContext,
    first: (work: PeerWork) => Promise<T>,
    again: (work: PeerWork) => Promise<T>,
  ): Promise<T> => {
    const { signal } = context;
    let node = await peer(signal);
    let before = await lookAtPod(network, node, signal);
    let attempt = () => first(at(node));
    for (let returns = 0; ; returns += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (returns === mostReturns || !mayBeThePod(error, signal)) throw error;
        const because = await changed({ network, beside }, node, before, signal);
        if (because === undefined) throw error;
        context.again?.(because);
        node = await back({ network, peer, patience }, because, error, context);
        before = await lookAtPod(network, node, signal);
        attempt = () => eventually(() => again(at(node)), { signal, within: aMinute, retry: settled });
      }
    }
  };
  return {
    ...step,
    observe: (context) =>
      surviving(
        context,
        (work) => work.observe(context),
        (work) => work.observe(context),
      ),
    act: (context) =>
      surviving(
        context,
        (work) => work.act(context),
        async (work) => ((await work.observe(context)).is === "so" ? undefined : work.act(context)),
      ),
  };
}

function mayBeThePod(failure: unknown, signal: AbortSignal): failure is FabricError {
  return !signal.aborted && failure instanceof FabricError && !(failure instanceof AbsentPeer);
}

/** What has happened to the Pod since, or to one of those beside; undefined when nothing has, or nobody can tell. */
async function changed(
  { network, beside }: { readonly network: OpenNetwork; readonly beside: readonly FabricNode[] },
  node: FabricNode,
  before: PodLook,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { problem, incarnation } = await lookAtPod(network, node, signal);
    if (problem !== undefined) return `${hostOf(node)} is not ready (${problem})`;
    if (incarnation !== before.incarnation) return `the Pod of ${hostOf(node)} was replaced`;
    for (const other of beside) {
      const absence = await podProblem(network, other, signal);
      if (absence !== undefined) return `${hostOf(other)} is not ready (${absence})`;
    }
  } catch (error) {
    if (!(error instanceof FabricError)) throw error;
  }
  return undefined;
}

/** The peer that does it from now on: its Pod is ready. */
async function back(
  {
    network,
    peer,
    patience,
  }: Required<Pick<PeerStep, "peer" | "patience">> & { readonly network: OpenNetwork; readonly patience: number },
  because: string,
  cause: unknown,
  { signal, progress }: StepContext,
): Promise<FabricNode> {
  progress(`waits: ${because}`);
  const look = async () => {
    const node = await peer(signal);
    const problem = await podProblem(network, node, signal);
    if (problem !== undefined) throw new AbsentPeer(node, problem, cause);
    return node;
  };
  return eventually(look, { signal, within: patience, retry: ["not-ready"] });
}

/** A step that is one peer's own. */
export function atPeer(
  { network, patience }: Pick<Deployment, "network" | "patience">,
  node: FabricNode,
  step: Step,
  beside?: readonly FabricNode[],
): Step {
  return peerStep(network, { ...step, patience, beside, peer: () => Promise.resolve(node), at: () => step });
}

/** The peer that speaks for its organization now: the one that was chosen, unless it is not ready and another one is. */
export async function speaker(
  network: OpenNetwork,
  { organization, peers, gateway }: Pick<Target, "organization" | "peers" | "gateway">,
  signal: AbortSignal,
): Promise<FabricNode> {
  const hosts = new Set<string>();
  for (const node of [gateway, ...peers, ...nodesOf(organization)]) {
    if (hosts.has(hostOf(node))) continue;
    hosts.add(hostOf(node));
    if ((await podProblem(network, node, signal)) === undefined) return node;
  }
  return gateway;
}
