import { FabricError, type ErrorCode } from "../../error.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { lookAtPod, podProblem, type PodLook } from "../../network/operations/pod-problem.ts";
import { hostOf, nodesOf, type FabricNode } from "../../network/resources/nodes.ts";
import { aMinute, eventually } from "../../engine/eventually.ts";
import type { ActingStep, Step, StepContext } from "../../engine/step.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { AbsentPeer } from "../deployment/late-peer.ts";

/** What a step does at one peer. */
export type PeerWork = Pick<Step, "observe" | "act">;

export interface PeerStep extends Omit<Step, keyof PeerWork> {
  /** Which peer does it, looked up anew each time. */
  readonly peer: (signal: AbortSignal) => Promise<FabricNode>;
  readonly at: (node: FabricNode) => PeerWork;
  /** Peers that the step takes something from (an image, a package): while one of them is away, a failure may come from there. */
  readonly beside?: readonly FabricNode[] | undefined;
  /** Milliseconds for a Pod that has gone to come back; a minute unless told. */
  readonly podPatience?: number | undefined;
}

/** How often one step waits for a Pod to come back. After that its failures count. */
const mostReturns = 5;
/** Codes of failures to connect: within a minute after a Pod has come back, they only pause the step. */
const settled: readonly ErrorCode[] = ["connection", "cluster-unreachable"];

/**
 * A step at a peer whose Pod may be replaced while the step works, which makes it fail in many ways. So after a failure the Pod is looked
 * at. When it has changed or is not ready, the step waits until it is ready, and is looked at again; only when the Pod has stayed as it was,
 * the failure counts. Throws AbsentPeer when the Pod does not come back in time.
 */
export function peerStep(
  network: OpenNetwork,
  { peer, at, beside = [], podPatience = aMinute, ...step }: PeerStep,
): ActingStep {
  let returns = 0;
  /** When a Pod was back last. */
  let backSince = -Infinity;
  const surviving = async <T>({ signal, again }: StepContext, work: (work: PeerWork) => Promise<T>) => {
    const node = await peer(signal);
    const before = await lookAtPod(network, node, signal);
    try {
      return await work(at(node));
    } catch (error) {
      if (!mayBeThePod(error, signal)) throw error;
      const because = returns < mostReturns && (await changed({ network, beside }, node, before, signal));
      if (because) {
        returns += 1;
        again?.(because);
        const until = async (context: StepContext) => {
          context.progress(`waits: ${because}`);
          await back({ network, peer, podPatience }, error, context.signal);
          backSince = performance.now();
        };
        return { is: "waiting", missing: because, isDisturbance: true, until } as const;
      }
      if (performance.now() - backSince > aMinute || !settled.includes(error.code)) throw error;
      return { is: "waiting", missing: error.message, isDisturbance: true, hint: error.hint } as const;
    }
  };
  return {
    ...step,
    observe: (context) => surviving(context, (work) => work.observe(context)),
    act: (context) => surviving(context, async (work) => work.act?.(context)),
  };
}

function mayBeThePod(failure: unknown, signal: AbortSignal): failure is FabricError {
  return !signal.aborted && failure instanceof FabricError && !(failure instanceof AbsentPeer);
}

/** What has happened to the Pod since `before`, or to a peer of `beside`; undefined when nothing has, or nobody can tell. */
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

/** Waits until the Pod of the step's peer, which is chosen anew for each look, is ready. Throws AbsentPeer. */
async function back(
  { network, peer, podPatience }: Pick<PeerStep, "peer" | "podPatience"> & { readonly network: OpenNetwork },
  cause: unknown,
  signal: AbortSignal,
): Promise<void> {
  const look = async () => {
    const node = await peer(signal);
    const problem = await podProblem(network, node, signal);
    if (problem !== undefined) throw new AbsentPeer(node, problem, cause);
  };
  await eventually(look, { signal, within: podPatience ?? aMinute, retry: ["not-ready"] });
}

/** A step that always works at the same peer. */
export function atPeer(
  { network, patience }: Pick<Deployment, "network" | "patience">,
  node: FabricNode,
  step: Step,
  beside?: readonly FabricNode[],
): Step {
  return peerStep(network, {
    ...step,
    podPatience: patience,
    beside,
    peer: () => Promise.resolve(node),
    at: () => step,
  });
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
