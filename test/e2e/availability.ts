import { setTimeout as sleep } from "node:timers/promises";
import type { V1Pod } from "../../core/kubernetes/client-node.ts";
import type { Kubectl } from "../sandbox/kubectl.ts";
import type { Plugin } from "./plugin-process.ts";

/** What happened while nodes of a network were restarted. */
export interface Observed {
  /** How many of its nodes were away at a time at most: ending, gone or not yet ready again. */
  readonly mostDown: number;
  /** Transactions, one after the other. */
  readonly transactions: number;
  /** What those said that failed for good. */
  readonly failed: readonly string[];
}

/** Pods of orderers and peers that the plugin has made. */
export async function podsOf(kubectl: Kubectl, network: string): Promise<readonly V1Pod[]> {
  const selected = ["get", "pods", "--all-namespaces", "-l", `kubectl-fabric.io/network=${network}`, "-o", "json"];
  return (JSON.parse(await kubectl(selected)) as { readonly items: readonly V1Pod[] }).items;
}

/** Does some `work` while asset-transfer, which runs as `asset` on mychannel, is called all the time. */
export async function whileCalled<T>(
  { plugin, kubectl, network }: { readonly plugin: Plugin; readonly kubectl: Kubectl; readonly network: string },
  work: () => Promise<T>,
): Promise<Observed & { readonly result: T }> {
  const stop = new AbortController();
  const before = await podsOf(kubectl, network);
  const down = watchPods(() => podsOf(kubectl, network), before, stop.signal);
  const called = transactions(plugin, stop.signal);
  const observed = Promise.all([down, called]);
  observed.catch(() => {}); // told once the work is done
  try {
    const result = await work();
    stop.abort();
    const [mostDown, { count, failed }] = await observed;
    return { result, mostDown, transactions: count, failed };
  } finally {
    stop.abort();
    await Promise.allSettled([down, called]);
  }
}

/** Looks until it is told to stop. */
async function watchPods(
  pods: () => Promise<readonly V1Pod[]>,
  before: readonly V1Pod[],
  stop: AbortSignal,
): Promise<number> {
  // What was ready once and is not for a moment has not been restarted.
  const wereReady = new Set(before.map(uidOf));
  let most = 0;
  while (!stop.aborted) {
    const there = (await pods()).filter(({ metadata }) => metadata?.deletionTimestamp === undefined);
    for (const pod of there.filter(isReady)) wereReady.add(uidOf(pod));
    most = Math.max(most, before.length - there.filter((pod) => wereReady.has(uidOf(pod))).length);
    await sleep(200);
  }
  return most;
}

const uidOf = ({ metadata }: V1Pod): string => metadata?.uid ?? "";
const isReady = ({ status }: V1Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

/** One after the other, each tried again as a client does. */
async function transactions(
  plugin: Plugin,
  stop: AbortSignal,
): Promise<{ readonly count: number; readonly failed: readonly string[] }> {
  const run = Date.now().toString(36);
  const failed: string[] = [];
  let count = 0;
  while (!stop.aborted) {
    const failure = await transaction(plugin, `${run}-${count++}`);
    if (failure !== undefined) failed.push(failure);
    await sleep(500);
  }
  return { count, failed };
}

async function transaction(plugin: Plugin, id: string): Promise<string | undefined> {
  let failure = "";
  for (let attempt = 0; attempt < 5; attempt++) {
    const { code, stderr } = await plugin.run(["invoke", "asset", "CreateAsset", id, "tom", "1", "-C", "mychannel"]);
    // Of the attempt before, whose answer was lost.
    if (code === 0 || /already exists/.test(stderr)) return undefined;
    failure = stderr;
    await sleep(1000);
  }
  return failure;
}
