import type { CoreV1Api, V1Node, VersionApi } from "@kubernetes/client-node";
import type { ClusterFacts, NamespaceFacts } from "./inject/cluster.ts";
import { compareVersions, parseVersion, type Version } from "./inject/version.ts";
import { reasonOf, type Log } from "./log.ts";

/** Versions change with an upgrade of the cluster. */
const VERSIONS_MS = 5 * 60_000;

/** The namespace has to be known within the API server's patience, which is 5 s by our manifests. */
const NAMESPACE_MS = 1500;

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

type Versions = Pick<ClusterFacts, "apiServer" | "oldestKubelet">;

export function newClusterReader(dependencies: ClusterReaderDependencies): ClusterReader {
  const { mtu, now } = dependencies;
  let versions: { readonly at: number; readonly read: Promise<Versions> } | undefined;

  const currentVersions = (): Promise<Versions> => {
    const time = now().getTime();
    if (versions === undefined || time - versions.at >= VERSIONS_MS)
      versions = { at: time, read: readVersions(dependencies) };
    return versions.read;
  };

  return {
    facts: async (name) => {
      const [read, namespace] = await Promise.all([inTime(currentVersions(), {}), readNamespace(name, dependencies)]);
      return { ...read, namespace, mtu };
    },
  };
}

/** A late answer counts for the next one who asks. */
function inTime<T>(work: Promise<T>, otherwise: T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const timer = setTimeout(() => resolve(otherwise), NAMESPACE_MS);
  return Promise.race([work, promise]).finally(() => clearTimeout(timer));
}

async function readVersions({ core, version, log }: ClusterReaderDependencies): Promise<Versions> {
  const [apiServer, oldestKubelet] = await Promise.allSettled([
    version.getCode().then(({ gitVersion }) => parseVersion(gitVersion)),
    readOldestKubelet(core),
  ]);
  for (const read of [apiServer, oldestKubelet]) {
    if (read.status === "rejected")
      log.warn("a version of the cluster is not known", { reason: reasonOf(read.reason) });
  }
  return { apiServer: valueOf(apiServer), oldestKubelet: valueOf(oldestKubelet) };
}

function valueOf<T>(settled: PromiseSettledResult<T>): T | undefined {
  return settled.status === "fulfilled" ? settled.value : undefined;
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

async function readNamespace(
  name: string,
  { core, log }: ClusterReaderDependencies,
): Promise<NamespaceFacts | undefined> {
  const read = core.readNamespace({ name }).then(
    ({ metadata }) => ({ name, labels: metadata?.labels ?? {} }),
    (thrown: unknown) => {
      log.warn("a namespace is not known", { namespace: name, reason: reasonOf(thrown) });
      return undefined;
    },
  );
  return inTime<NamespaceFacts | undefined>(read, undefined);
}
