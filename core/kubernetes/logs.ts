import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { abortError } from "./abort.ts";
import { lost } from "./channel-stream.ts";
import type { Cluster } from "./cluster.ts";
import { knownResources, resourcePath, type Resource } from "./resources.ts";

/** The container and the part of its log. */
export interface LogOptions {
  readonly namespace: string;
  readonly pod: string;
  /** Needed when the Pod has several containers. */
  readonly container?: string | undefined;
  /** Follows the log while the container writes. */
  readonly follow?: boolean | undefined;
  /** Only the last lines. */
  readonly tailLines?: number | undefined;
  readonly sinceSeconds?: number | undefined;
  /** The log of the container's run before its last restart. */
  readonly previous?: boolean | undefined;
  readonly timestamps?: boolean | undefined;
}

/** A container's log as bytes. Throws ApiError `not-found` without Pod, `invalid` while the container has not started. */
async function openLog(cluster: Cluster, options: LogOptions, signal?: AbortSignal): Promise<Readable> {
  const { namespace, pod, ...query } = options;
  const path = `${resourcePath(knownResources.get("Pod") as Resource, namespace, pod)}/log`;
  return cluster.stream({ method: "GET", path, query, signal });
}

/** A container's log line by line. Stopping the loop ends the request. */
export async function* logLines(
  cluster: Cluster,
  options: LogOptions,
  signal?: AbortSignal,
): AsyncGenerator<string, void, void> {
  const stream = await openLog(cluster, options, signal);
  try {
    yield* createInterface({ input: stream, crlfDelay: Infinity });
    if (signal?.aborted) throw abortError(signal, `the log of Pod ${options.pod}`);
    if (stream.errored) throw lost(stream.errored.message, stream.errored);
  } finally {
    stream.destroy();
  }
}
