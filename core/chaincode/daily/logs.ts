import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../../error.ts";
import { joined, type Remedy } from "../../remedy.ts";
import { containerLog } from "../../docker/containers.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { hostOf, peerNodes, type FabricNode } from "../../network/resources/nodes.ts";
import { byReason } from "../../engine/reasons.ts";
import { containerOf, containersOf } from "../daemon/containers.ts";
import { withDaemon } from "../daemon/daemon.ts";
import type { RunningService } from "../runtime/running-service.ts";
import type { ChaincodeState } from "./state.ts";

export interface ChaincodeLogOptions {
  readonly follow: boolean;
  readonly tailLines?: number | undefined;
  readonly timestamps?: boolean | undefined;
}

/** A peer and the package whose container is read. */
export interface LogSource {
  readonly node: FabricNode;
  readonly packageId: string;
}

const lookAgain = 1000; // milliseconds

/** A service, and those of the chosen peers that dial it. */
interface ServiceSource {
  readonly service: RunningService;
  readonly nodes: readonly FabricNode[];
}

/** Where a chaincode runs: in containers of the peers' daemons, as services, or both while organizations move from one to the other. */
export interface Whereabouts {
  readonly containers: readonly LogSource[];
  readonly services: readonly ServiceSource[];
  /** In sentences: which peers were left out, as they could not be asked. */
  readonly leftOut: readonly string[];
}

/** At all peers, or only at `peer`. Throws `usage` when the network has no such peer, `not-ready` when the chaincode runs nowhere. */
export function whereabouts(
  network: Pick<OpenNetwork, "definition">,
  { name, channel, peers }: Pick<ChaincodeState, "name" | "channel" | "peers">,
  peer: string | undefined,
): Whereabouts {
  const nodes = peerNodes(network.definition);
  if (peer !== undefined && !nodes.some((node) => hostOf(node) === peer)) {
    throw new FabricError("usage", `expected a peer (${nodes.map(hostOf).join(", ")}), found ${peer}`);
  }
  const asked = peers.flatMap((state) => {
    const node = nodes.find((candidate) => hostOf(candidate) === state.peer);
    return node && (peer === undefined || peer === state.peer) ? [{ node, state }] : [];
  });
  const containers = asked.flatMap(({ node, state: { packageId, container } }) =>
    packageId === undefined || typeof container === "string" ? [] : [{ node, packageId }],
  );
  const dialling = asked.flatMap(({ node, state: { service } }) => (service ? [{ node, service }] : []));
  const services = [...Map.groupBy(dialling, ({ service }) => `${service.namespace}/${service.name}`).values()];
  const unasked = asked.flatMap(({ state: { peer: about, problem, service } }) =>
    problem === undefined || service ? [] : [{ about, reason: problem }],
  );
  const leftOut = byReason(unasked).map(({ about, reason }) => `left out: ${about.join(", ")} (${reason})`);
  if (containers.length + services.length === 0) throw nowhere({ name, channel }, peer ?? "any peer", leftOut);
  return {
    containers,
    leftOut,
    services: services.flatMap((some) => {
      const [first] = some;
      return first ? [{ service: first.service, nodes: some.map(({ node }) => node) }] : [];
    }),
  };
}

const mayBeAway: Remedy = [
  { operation: "doctor" },
  " tells what is wrong with a peer, ",
  { operation: "init" },
  " brings back what is gone or scaled to 0; ",
];

function nowhere(
  { name, channel }: Pick<ChaincodeState, "name" | "channel">,
  where: string,
  leftOut: readonly string[],
): FabricError {
  const found = ["none", ...leftOut].join("; ");
  return new FabricError(
    "not-ready",
    `expected a container of ${name} at ${where}, or a Deployment of kubectl fabric that runs it, found ${found}`,
    {
      hint: joined([
        leftOut.length > 0 ? mayBeAway : undefined,
        "the first call starts a container: ",
        { operation: "query", of: [name, "FUNCTION"], on: channel },
        "; of a service that somebody else runs its operator has the log",
      ]),
    },
  );
}

/**
 * What a chaincode writes at one peer, line by line. With `follow` until the signal: a container that ends is followed
 * by the next one that the peer starts.
 */
export async function* chaincodeLog(
  network: OpenNetwork,
  { node, packageId }: LogSource,
  { follow, ...options }: ChaincodeLogOptions,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  let last: string | undefined;
  for (;;) {
    const container = containerOf(await containersOf(network, node, signal), packageId);
    if (container && (container.id !== last || container.state === "running")) {
      // The same container runs again: only its new lines.
      const again = container.id === last ? { tailLines: 0 } : options;
      yield* linesOf(network, node, container.id, { ...again, follow, timestamps: options.timestamps }, signal);
      last = container.id;
    }
    if (!follow || signal.aborted) return;
    await sleep(lookAgain, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}

async function* linesOf(
  network: OpenNetwork,
  node: FabricNode,
  container: string,
  options: ChaincodeLogOptions,
  signal: AbortSignal,
): AsyncGenerator<string, void, void> {
  const ended = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<AsyncIterable<string>>();
  const held = withDaemon(network, node, signal, async (engine) => {
    const stream = await containerLog(engine, container, { ...options, signal });
    opened.resolve(createInterface({ input: stream, crlfDelay: Infinity }));
    await ended.promise;
    stream.destroy();
  });
  held.catch(opened.reject);
  try {
    yield* await opened.promise;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    ended.resolve();
    await held.catch(() => {});
  }
}
