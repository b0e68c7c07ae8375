import type { V1Node } from "@kubernetes/client-node";
import type { ClusterApi } from "./cluster-api.ts";
import type { ClusterFacts, NamespaceFacts } from "../core/injection/cluster.ts";
import { compareVersions, parseVersion, type Version } from "../core/injection/version.ts";
import { reasonOf, type Log } from "../core/process/log.ts";

/** For how long versions are kept: they change only with an upgrade of the cluster. */
const versionsMs = 5 * 60_000;

/** The limit for reading facts. The API server waits 5 s for an answer, by our manifests. */
const patienceMs = 1500;

/** The API server sends a review twice when another mutation follows ours (reinvocation): one read of the namespace serves both. */
const namespaceKeptMs = 1000;

const pageNodes = 250;

export interface ClusterReaderDependencies {
  readonly api: Pick<ClusterApi, "getCode" | "listNode" | "readNamespace">;
  /** Bytes: the MTU of our own Pod's eth0. The cluster's network gives all Pods the same. */
  readonly mtu: number | undefined;
  readonly now: () => Date;
  readonly log: Log;
}

/** Reads the facts about the cluster for the injection. Facts that cannot be read are undefined. */
export interface ClusterReader {
  /** Reads the versions before the first review. */
  begin(): void;
  facts(namespace: string): Promise<ClusterFacts>;
}

export function newClusterReader(dependencies: ClusterReaderDependencies): ClusterReader {
  const { api, mtu, now, log } = dependencies;
  const apiServers = kept(versionsMs, now, () => readApiServer(api));
  const kubelets = kept(versionsMs, now, () => readOldestKubelet(api));
  const namespaces = kept(namespaceKeptMs, now, (name) => readNamespace(name, api));
  return {
    begin: () => {
      // A failure here is ignored: the first review reads again.
      apiServers("").promise.catch(() => {});
      kubelets("").promise.catch(() => {});
    },
    facts: async (name) => {
      const [apiServer, oldestKubelet, namespace] = await Promise.all([
        inTime("its version", apiServers(""), log),
        inTime("its kubelets' versions", kubelets(""), log),
        inTime(`namespace ${name}`, namespaces(name), log),
      ]);
      return { apiServer, oldestKubelet, namespace, mtu };
    },
  };
}

/** A read, and its value as soon as there is one, which needs no waiting. */
interface Reading<T> {
  readonly at: number;
  readonly promise: Promise<T>;
  settled?: { readonly value: T };
}

/** Keeps each read for a while: later callers share it, finished or not. A failed read is not kept. */
function kept<T>(
  milliseconds: number,
  now: () => Date,
  read: (key: string) => Promise<T>,
): (key: string) => Reading<T> {
  const readings = new Map<string, Reading<T>>();
  return (key) => {
    const time = now().getTime();
    const found = readings.get(key);
    if (found !== undefined && time - found.at < milliseconds) return found;
    for (const [other, { at }] of readings) if (time - at >= milliseconds) readings.delete(other);
    const reading: Reading<T> = { at: time, promise: read(key) };
    readings.set(key, reading);
    reading.promise.then(
      (value) => (reading.settled = { value }),
      () => readings.get(key) === reading && readings.delete(key),
    );
    return reading;
  };
}

/** The value if it is read in time, else undefined. A late value serves the next caller. */
async function inTime<T>(what: string, { settled, promise }: Reading<T>, log: Log): Promise<T | undefined> {
  if (settled !== undefined) return settled.value;
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${patienceMs} ms`)), patienceMs);
  try {
    return await Promise.race([promise, late]);
  } catch (thrown) {
    log.warn("the cluster does not tell", { what, reason: reasonOf(thrown) });
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function readOldestKubelet(api: ClusterReaderDependencies["api"]): Promise<Version | undefined> {
  let oldest: Version | undefined;
  let next: string | undefined;
  do {
    const { items, metadata } = await api.listNode({
      limit: pageNodes,
      ...(next === undefined ? {} : { _continue: next }),
    });
    for (const node of items) if (!isVirtual(node)) oldest = olderOf(oldest, kubeletVersion(node));
    next = metadata?._continue === "" ? undefined : metadata?._continue;
  } while (next !== undefined);
  return oldest;
}

/** A virtual kubelet runs no such Pod, and reports another program's version: "v1.0.0-vk-aci". */
const isVirtual = ({ metadata }: V1Node): boolean => metadata?.labels?.["type"] === "virtual-kubelet";

function kubeletVersion({ status }: V1Node): Version | undefined {
  return parseVersion(status?.nodeInfo?.kubeletVersion ?? "");
}

function olderOf(a: Version | undefined, b: Version | undefined): Version | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareVersions(a, b) <= 0 ? a : b;
}

async function readNamespace(name: string, api: ClusterReaderDependencies["api"]): Promise<NamespaceFacts> {
  const { metadata } = await api.readNamespace({ name });
  return { name, labels: metadata?.labels ?? {} };
}

async function readApiServer(api: ClusterReaderDependencies["api"]): Promise<Version | undefined> {
  const { gitVersion } = await api.getCode();
  return parseVersion(gitVersion);
}
