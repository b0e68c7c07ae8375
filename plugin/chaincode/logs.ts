import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../error.ts";
import { containerLog } from "../docker/containers.ts";
import type { OpenNetwork } from "../network/open-network.ts";
import { hostOf, peerNodes, type FabricNode } from "../network/spec.ts";
import { containerOf, containersOf } from "./containers.ts";
import { withDaemon } from "./daemon.ts";
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

/** The peers that have a container of the chaincode, or the one that is named. Throws `not-ready` when none has. */
export function logSources(
  network: OpenNetwork,
  { name, channel, peers }: ChaincodeState,
  peer: string | undefined,
): readonly LogSource[] {
  const nodes = peerNodes(network.definition);
  if (peer !== undefined && !nodes.some((node) => hostOf(node) === peer)) {
    throw new FabricError("usage", `expected a peer (${nodes.map(hostOf).join(", ")}), found ${peer}`);
  }
  const sources = peers.flatMap(({ peer: host, packageId, container }) => {
    const node = nodes.find((candidate) => hostOf(candidate) === host);
    if (!node || packageId === undefined || typeof container === "string") return [];
    return peer === undefined || peer === host ? [{ node, packageId }] : [];
  });
  if (sources.length > 0) return sources;
  const where = peer ?? "any peer";
  throw new FabricError("not-ready", `expected a container of ${name} at ${where}, found none`, {
    hint: `the first call starts it: kubectl fabric query ${name} FUNCTION -C ${channel}`,
  });
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
      // Of a container that runs again only what is new: `tail 0` when it is the same one.
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
