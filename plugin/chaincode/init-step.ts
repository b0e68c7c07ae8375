import { FabricError } from "../error.ts";
import { startChaincode } from "../fabric/chaincode-start.ts";
import { podProblem } from "../network/pod-problem.ts";
import { reachGateway, reachPeer } from "../network/reach.ts";
import { hostOf, type FabricNode } from "../network/spec.ts";
import { eventually } from "../steps/eventually.ts";
import type { Step } from "../steps/step.ts";
import { installations, type Deployment } from "./deployment.ts";
import { isAbsence } from "./late-peer.ts";
import { patiently } from "./lifecycle-steps.ts";
import { described } from "./next-definition.ts";
import { peerStep, speaker } from "./peer-step.ts";

/** A chaincode whose definition asks for it has been called with Init, before all else. */
export function initStep(deployment: Deployment, args: readonly string[], after: readonly string[]): Step {
  const { network, channel, definition, targets, patience } = deployment;
  const { name } = definition;
  const [first] = targets;
  if (!first) throw new FabricError("internal", "a deployment without organizations");
  return peerStep(network, {
    id: "init",
    title: `${described(definition)} is initialized`,
    after,
    despite: isAbsence,
    patience,
    peer: (signal) => speaker(network, first, signal),
    at: (node) => ({
      async observe({ signal }) {
        const { connection, identity } = await reachPeer(network, node, signal);
        const { state } = await startChaincode(connection, identity, channel, name, { signal });
        if (state === "running") return { done: true };
        return { done: false, change: `Init(${args.map((word) => JSON.stringify(word)).join(", ")})` };
      },
      async act({ signal, progress }) {
        const { gateway } = await reachGateway(network, node, signal);
        const [called = "", ...rest] = args;
        const call = { channel, chaincode: name, function: called, arguments: rest, isInit: true };
        try {
          await patiently(() => gateway.submit(call, { signal, timeout: startTimeout }), signal);
        } catch (cause) {
          throw refused(cause);
        }
        progress("the peers receive its block");
        const nodes = await punctual(deployment, signal);
        await Promise.all(nodes.map((one) => initialized(deployment, one, signal)));
      },
    }),
  });
}

/** Those that are ready now: of the others their own steps tell. */
async function punctual(deployment: Deployment, signal: AbortSignal): Promise<readonly FabricNode[]> {
  const looks = await Promise.all(
    installations(deployment).map(async ({ node }) => ({
      node,
      problem: await podProblem(deployment.network, node, signal),
    })),
  );
  return looks.flatMap(({ node, problem }) => (problem === undefined ? [node] : []));
}

/** A peer refuses all calls until it has the block of Init, which may reach it after the one that submitted it. */
function initialized({ network, channel, definition }: Deployment, node: FabricNode, signal: AbortSignal) {
  return eventually(
    async () => {
      const { connection, identity } = await reachPeer(network, node, signal);
      const { name } = definition;
      const { state } = await startChaincode(connection, identity, channel, name, { signal, timeout: startTimeout });
      if (state === "not-initialized") throw new FabricError("not-ready", `${hostOf(node)} has not yet received Init`);
    },
    { signal, retry: ["not-ready", "connection"] },
  );
}

/** What Init wants only the chaincode knows: Node's contract API takes no call without a function, Go's does. */
function refused(cause: unknown): unknown {
  if (!(cause instanceof FabricError) || cause.code !== "chaincode") return cause;
  const hint = `say with --init-args what to call, as '{"Args":["InitLedger"]}'; the definition is committed, and waits for it`;
  return new FabricError(cause.code, cause.message, { hint, cause });
}

/** The first call starts the chaincode: core.yaml gives it 5 minutes (chaincode.startuptimeout). */
export const startTimeout = 300_000;
