import { FabricError } from "../../error.ts";
import type { CallOptions } from "../../fabric/node/call-options.ts";
import { startChaincode } from "../../fabric/chaincode/chaincode-start.ts";
import { podProblem } from "../../network/operations/pod-problem.ts";
import { reachGateway, reachPeer } from "../../network/session/reach.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import { aMinute, eventually } from "../../engine/eventually.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import { containerOf, containersOf } from "../daemon/containers.ts";
import { installations, type Deployment, type Target } from "../deployment/deployment.ts";
import { isAbsence } from "../deployment/late-peer.ts";
import { patiently, racing } from "./lifecycle-steps.ts";
import { described } from "../deployment/next-definition.ts";
import { peerStep, speaker } from "./peer-step.ts";

/** A chaincode whose definition asks for it has been called with Init, before all else. */
export function initStep(deployment: Deployment, args: readonly string[], after: readonly Step[]): Step {
  const { network, channel, definition, targets, patience } = deployment;
  const { name } = definition;
  const [first] = targets;
  if (!first) throw new FabricError("internal", "a deployment without organizations");
  const state = async (node: FabricNode, options: CallOptions & { readonly signal: AbortSignal }) => {
    const client = await reachPeer(network, node, options.signal);
    return (await startChaincode({ ...client, ...options }, channel, name)).state;
  };
  return peerStep(network, {
    id: "init",
    title: `${described(definition)} is initialized`,
    after,
    despite: isAbsence,
    podPatience: patience,
    patience: patiently,
    peer: (signal) => speaker(network, first, signal),
    at: (node) => ({
      async observe({ signal }) {
        const change = `Init(${args.map((word) => JSON.stringify(word)).join(", ")})`;
        if (!(await isRunning(network, first, node, signal)))
          return {
            is: "differs",
            change: `${change}, unless it has been called: only a call tells, which would start the chaincode`,
          };
        return (await state(node, { signal })) === "running" ? { is: "so" } : { is: "differs", change };
      },
      async act({ signal }) {
        if ((await state(node, { signal, timeout: startTimeout })) === "running")
          return { unchanged: "it was initialized already" };
        const { gateway } = await reachGateway(network, node, signal);
        const [called = "", ...rest] = args;
        const call = { channel, chaincode: name, function: called, arguments: rest, isInit: true };
        try {
          await racing(gateway.submit(call, { timeout: startTimeout }));
        } catch (cause) {
          throw refused(cause);
        }
        const until = async (context: StepContext) => {
          context.progress("the peers receive its block");
          const nodes = await punctual(deployment, context.signal);
          await Promise.all(nodes.map((one) => initialized(deployment, one, context.signal)));
        };
        return { is: "waiting", missing: "the peers receive its block", until };
      },
    }),
  });
}

/**
 * Whether the chaincode runs already, so that a call starts nothing: in the peer's container, or as a service. False when the user may not
 * look.
 */
async function isRunning(
  network: Deployment["network"],
  { pkg }: Target,
  node: FabricNode,
  signal: AbortSignal,
): Promise<boolean> {
  const type = pkg.type ?? (await pkg.load(signal)).metadata.type;
  if (type === "ccaas") return true;
  try {
    return containerOf(await containersOf(network, node, signal), pkg.id)?.state === "running";
  } catch (error) {
    if (error instanceof FabricError && ["not-found", "forbidden"].includes(error.code)) return false;
    throw error;
  }
}

/** The peers that are ready now. The others have steps of their own, which report them. */
async function punctual(deployment: Deployment, signal: AbortSignal): Promise<readonly FabricNode[]> {
  const looks = await Promise.all(
    installations(deployment).map(async ({ node }) => ({
      node,
      problem: await podProblem(deployment.network, node, signal),
    })),
  );
  return looks.flatMap(({ node, problem }) => (problem === undefined ? [node] : []));
}

/**
 * Waits until a peer has the block of Init. Before that it refuses all calls, and it may get the block later than the peer that submitted.
 */
function initialized({ network, channel, definition }: Deployment, node: FabricNode, signal: AbortSignal) {
  const look = async () => {
    const client = await reachPeer(network, node, signal);
    const { name } = definition;
    const { state } = await startChaincode({ ...client, timeout: startTimeout }, channel, name);
    if (state === "not-initialized") throw new FabricError("not-ready", `${hostOf(node)} has not yet received Init`);
  };
  // A lost connection is tried again for a minute only: the peer's Pod may have gone (peer-step.ts).
  const connected = () => eventually(look, { signal, within: aMinute, retry: ["connection"] });
  return eventually(connected, { signal, retry: ["not-ready"] });
}

/** Adds a hint. Only the chaincode knows what Init takes: Node's contract API takes no call without a function, Go's does. */
function refused(cause: unknown): unknown {
  if (!(cause instanceof FabricError) || cause.code !== "chaincode") return cause;
  return new FabricError(cause.code, cause.message, {
    hint: [
      "say with ",
      { setting: "initArguments" },
      ` what to call, as '{"Args":["InitLedger"]}'; the definition is committed, and waits for it`,
    ],
    cause,
  });
}

/** The first call starts the chaincode: core.yaml gives it 5 minutes (chaincode.startuptimeout). */
export const startTimeout = 300_000;
