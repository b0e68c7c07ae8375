import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { ApiError, isExpired } from "./api-error.ts";
import { abortError } from "./abort.ts";
import { FabricError } from "../error.ts";
import type { KubernetesObject, V1Status } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import { findResource } from "./discovery.ts";
import { listWithVersion, received, selectionQuery, type Selection } from "./objects.ts";
import { isOutwaited } from "./outage.ts";
import { resourcePath, type ObjectOf } from "./resources.ts";
import { unreachable } from "./unreachable.ts";

/** All objects of a selection at one moment. Keys are "namespace/name". */
export type Snapshot<K extends string> = ReadonlyMap<string, ObjectOf<K>>;

/** The server ends a watch after this time; a new one goes on from the last version. */
const watchSeconds = 290;

/** Where nothing happens each watch ends without an event: the pause stays below a second. */
const mostQuiet = 3;

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: object;
}

/**
 * Follows a selection by list and watch: yields all objects, and again after each change (always the same map), until the caller stops or
 * the signal is aborted. A watch that ends or is cut goes on from the last version seen; when that is too old (410), all is listed again. After
 * a watch that failed, or brought nothing, there is a pause.
 * Throws ApiError when the API server refuses, `cluster-unreachable` when it stays away, `interrupted` or `timeout` with the signal.
 */
export async function* watch<K extends string>(
  cluster: Cluster,
  selection: Selection<K>,
  signal: AbortSignal,
  pause = pauseFor,
): AsyncGenerator<Snapshot<K>, never, void> {
  /** One after the other: watches that failed, and watches that ended without an event. */
  let [failures, quiet] = [0, 0];
  for (;;) {
    const { items, resourceVersion } = await listWithVersion(cluster, selection, signal);
    const state = new Map(items.map((item) => [keyOf(item), item]));
    yield state;
    let version: string | undefined = resourceVersion;
    while (version !== undefined) {
      const seen: string = version;
      let isOpen = false;
      try {
        quiet++;
        const answer = await open(cluster, selection, seen, signal);
        isOpen = true;
        for await (const event of events(answer)) {
          if (event.type === "ERROR") throw new ApiError(codeOf(event.object), event.object, cluster.context);
          failures = quiet = 0;
          version = versionOf(event.object) ?? version;
          if (event.type === "BOOKMARK") continue;
          const object = received(event.object) as ObjectOf<K>;
          if (event.type === "DELETED") state.delete(keyOf(object));
          else state.set(keyOf(object), object);
          yield state;
        }
      } catch (error) {
        if (signal.aborted) throw isOutwaited(error) ? error : abortError(signal, `watching ${selection.kind}`);
        if (isExpired(error)) version = undefined;
        // `open` has waited for the server already.
        else if (!isOpen || !isPassing(error) || ++failures > 5) throw told(error, cluster);
      }
      const pauses = Math.max(failures, Math.min(quiet, mostQuiet));
      if (pauses > 0) await pause(100 * 2 ** pauses, signal);
      if (signal.aborted) throw abortError(signal, `watching ${selection.kind}`);
    }
  }
}

async function open(
  cluster: Cluster,
  selection: Selection,
  resourceVersion: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const resource = await findResource(cluster, selection, signal);
  return cluster.stream({
    method: "GET",
    path: resourcePath(resource, selection.namespace),
    query: {
      ...selectionQuery(selection),
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds: watchSeconds,
    },
    signal,
  });
}

/** The events of one connection. */
async function* events(answer: IncomingMessage): AsyncGenerator<WatchEvent, void, void> {
  try {
    const lines = createInterface({ input: answer, crlfDelay: Infinity });
    for await (const line of lines) {
      if (line !== "") yield JSON.parse(line) as WatchEvent;
    }
    // readline ends quietly when its input fails.
    if (answer.errored) throw answer.errored;
  } finally {
    answer.destroy();
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof FabricError) return error.code === "cluster-unreachable" || error.code === "not-ready";
  return error instanceof SyntaxError || (error instanceof Error && "code" in error);
}

function told(error: unknown, { server, context }: Cluster): unknown {
  return error instanceof FabricError ? error : unreachable(error, { server, context, user: "" });
}

async function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
}

function codeOf(status: V1Status): number {
  return status.code ?? 500;
}

function versionOf(object: object): string | undefined {
  return (object as KubernetesObject).metadata?.resourceVersion;
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;
}
