import type { Version } from "./version.ts";

/** What the injection has to know of the cluster. What is not known is left out and decides nothing. */
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

/** The older of the API server and the oldest kubelet, as far as known. */
export function oldestVersion({ apiServer, oldestKubelet }: ClusterFacts): Version | undefined {
  if (apiServer === undefined || oldestKubelet === undefined) return apiServer ?? oldestKubelet;
  const difference = apiServer.major - oldestKubelet.major || apiServer.minor - oldestKubelet.minor;
  return difference < 0 ? apiServer : oldestKubelet;
}
