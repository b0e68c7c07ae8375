import type { CoreV1Api, V1Node, VersionApi } from "@kubernetes/client-node";
import type { ClusterFacts, NamespaceFacts } from "./inject/cluster.ts";
import { compareVersions, parseVersion, type Version } from "./inject/version.ts";
import { reasonOf, type Log } from "./log.ts";

/** Versions change with an upgrade of the cluster. */
const VERSIONS_MS = 5 * 60_000;

/** Facts have to be there within the API server's patience, which is 5 s by our manifests. */
const PATIENCE_MS = 1500;

/** A review is asked twice where another mutation follows ours (reinvocation): one reading of the namespace does for both. */
const NAMESPACE_KEPT_MS = 1000;

const NODES_A_PAGE = 250;

export interface ClusterReaderDependencies {
  readonly core: Pick<CoreV1Api, "listNode" | "readNamespace">;
  readonly version: Pick<VersionApi, "getCode">;
  /** Bytes: of our own Pod's eth0, which the cluster's network gave the same as every other Pod's. */
  readonly mtu: number | undefined;
  readonly now: () => Date;
  readonly log: Log;
}

/** Reads what the injection has to know of the cluster. What cannot be read is left out. */
export interface ClusterReader {
  facts(namespace: string): Promise<ClusterFacts>;
}

export function newClusterReader(dependencies: ClusterReaderDependencies): ClusterReader {
  const { core, mtu, now, log } = dependencies;
  const apiServers = kept(VERSIONS_MS, now, () => readApiServer(dependencies));
  const kubelets = kept(VERSIONS_MS, now, () => readOldestKubelet(core));
  const namespaces = kept(NAMESPACE_KEPT_MS, now, (name) => readNamespace(name, dependencies));
  return {
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

/** Remembers what was read for a while; who asks meanwhile gets the same reading, finished or not. A failure is not remembered. */
function kept<T>(
  milliseconds: number,
  now: () => Date,
  read: (key: string) => Promise<T>,
): (key: string) => Promise<T> {
  const readings = new Map<string, { readonly at: number; readonly value: Promise<T> }>();
  return (key) => {
    const time = now().getTime();
    for (const [other, { at }] of readings) if (time - at >= milliseconds) readings.delete(other);
    const found = readings.get(key) ?? { at: time, value: read(key) };
    readings.set(key, found);
    found.value.catch(() => readings.delete(key));
    return found.value;
  };
}

/** What is read in time; otherwise nothing, and a late answer counts for the next one who asks. */
async function inTime<T>(what: string, work: Promise<T>, log: Log): Promise<T | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  try {
    return await Promise.race([work, late]);
  } catch (thrown) {
    log.warn("the cluster does not tell", { what, reason: reasonOf(thrown) });
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function readOldestKubelet(core: ClusterReaderDependencies["core"]): Promise<Version | undefined> {
  let oldest: Version | undefined;
  let next: string | undefined;
  do {
    const { items, metadata } = await core.listNode({
      limit: NODES_A_PAGE,
      ...(next === undefined ? {} : { _continue: next }),
    });
    for (const node of items) oldest = olderOf(oldest, kubeletVersion(node));
    next = metadata?._continue === "" ? undefined : metadata?._continue;
  } while (next !== undefined);
  return oldest;
}

function kubeletVersion({ status }: V1Node): Version | undefined {
  return parseVersion(status?.nodeInfo?.kubeletVersion ?? "");
}

function olderOf(a: Version | undefined, b: Version | undefined): Version | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareVersions(a, b) <= 0 ? a : b;
}

async function readNamespace(name: string, { core }: ClusterReaderDependencies): Promise<NamespaceFacts> {
  const { metadata } = await core.readNamespace({ name });
  return { name, labels: metadata?.labels ?? {} };
}

async function readApiServer({ version }: ClusterReaderDependencies): Promise<Version | undefined> {
  const { gitVersion } = await version.getCode();
  return parseVersion(gitVersion);
}
