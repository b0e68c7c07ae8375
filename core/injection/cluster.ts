import type { Version } from "./version.ts";

/** Facts about the cluster for the injection. Unknown facts are undefined and decide nothing. */
export interface ClusterFacts {
  readonly apiServer?: Version | undefined;
  readonly oldestKubelet?: Version | undefined;
  readonly namespace?: NamespaceFacts | undefined;
  /** Bytes: the MTU of a Pod's eth0. */
  readonly mtu?: number | undefined;
}

export interface NamespaceFacts {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The older version of the API server's and the oldest kubelet's; undefined when both are unknown. */
export function oldestVersion({ apiServer, oldestKubelet }: ClusterFacts): Version | undefined {
  if (apiServer === undefined || oldestKubelet === undefined) return apiServer ?? oldestKubelet;
  const difference = apiServer.major - oldestKubelet.major || apiServer.minor - oldestKubelet.minor;
  return difference < 0 ? apiServer : oldestKubelet;
}
