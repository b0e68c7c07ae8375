import { FabricError } from "../../error.ts";
import type { V1ConfigMap, V1Pod } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { get, listPages } from "../../kubernetes/objects.ts";
import { hostOf, peerNodes } from "../../network/resources/nodes.ts";
import type { FabricNetwork } from "../../network/resources/spec.ts";
import { peerContainerOf, peerPod, withoutReplaced, type PeerPod } from "./peer-pod.ts";
import { podEnvironment, type ConfigMapReader } from "./pod-environment.ts";

export interface FoundPeers {
  readonly peers: readonly PeerPod[];
  /** Whether all namespaces were read: only then the list has every peer of the cluster. */
  readonly everywhere: boolean;
  /** Namespaces that were read: our networks' ones, the context's, and those of the peers found. */
  readonly namespaces: readonly string[];
  /** Namespaces that could not be read. */
  readonly hidden: readonly string[];
}

/**
 * Every peer of the cluster, whoever deployed it. Pods are read page by page, and only the peers are kept. A user who may not
 * list Pods in all namespaces gets those in the networks' namespaces and in the context's own.
 */
export async function findPeers(
  cluster: Cluster,
  networks: readonly FabricNetwork[],
  signal: AbortSignal,
): Promise<FoundPeers> {
  const known = [...new Set([...networks.flatMap(namespacesOf), cluster.namespace])];
  const all = await unlessForbidden(() => peersIn(cluster, undefined, signal));
  const looks = all ? [] : await Promise.all(known.map((namespace) => lookInto(cluster, namespace, signal)));
  const found = all ?? looks.flatMap(({ peers }) => peers ?? []);
  const hidden = looks.flatMap(({ namespace, peers }) => (peers ? [] : [namespace]));
  const namespaces = [...known, ...found.map(({ namespace }) => namespace)];
  return {
    peers: [...withoutReplaced(found), ...missing(networks, found, hidden)],
    everywhere: all !== undefined,
    namespaces: [...new Set(namespaces)].filter((namespace) => !hidden.includes(namespace)),
    hidden,
  };
}

const namespacesOf = ({ spec }: FabricNetwork): readonly string[] =>
  spec.peerOrganizations.map(({ namespace }) => namespace);

async function lookInto(cluster: Cluster, namespace: string, signal: AbortSignal) {
  return { namespace, peers: await unlessForbidden(() => peersIn(cluster, namespace, signal)) };
}

type Found = PeerPod & { readonly ended: boolean };

async function peersIn(cluster: Cluster, namespace: string | undefined, signal: AbortSignal): Promise<Found[]> {
  const configMaps = new Map<string, Promise<V1ConfigMap["data"] | undefined>>();
  const reader = (where: string): ConfigMapReader => {
    return (name) => {
      const key = `${where}/${name}`;
      const read = configMaps.get(key) ?? readConfigMap(cluster, where, name, signal);
      configMaps.set(key, read);
      return read;
    };
  };
  const found: Found[] = [];
  for await (const { items } of listPages(cluster, { kind: "Pod", namespace }, { signal })) {
    for (const pod of items) {
      const container = peerContainerOf(pod);
      if (!container) continue;
      const environment = await podEnvironment(container, pod.metadata, reader(pod.metadata?.namespace ?? ""));
      found.push({ ...peerPod(pod, container.name, environment), ended: hasEnded(pod) });
    }
  }
  return found;
}

function hasEnded({ status }: V1Pod): boolean {
  return status?.phase === "Failed" || status?.phase === "Succeeded";
}

async function readConfigMap(
  cluster: Cluster,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<V1ConfigMap["data"] | undefined> {
  const found = await unlessForbidden(() => get(cluster, { kind: "ConfigMap", namespace, name }, signal));
  return found?.data;
}

/** Peers of a network that have no Pod now: their needs are unknown. */
function missing(
  networks: readonly FabricNetwork[],
  found: readonly PeerPod[],
  hidden: readonly string[],
): readonly PeerPod[] {
  return networks.flatMap((network) =>
    peerNodes(network)
      .filter(
        (node) => !found.some(({ network: label, name }) => label === network.metadata.name && name === hostOf(node)),
      )
      .map((node) => ({
        name: hostOf(node),
        namespace: node.organization.namespace,
        pod: "",
        running: false,
        absence: hidden.includes(node.organization.namespace)
          ? `you may not read Pods in namespace ${node.organization.namespace}`
          : `${hostOf(node)} has no Pod`,
        docker: "sidecar",
        owner: { networkId: network.metadata.name, peerId: hostOf(node) },
        mspId: node.organization.mspId,
        tls: true,
        network: network.metadata.name,
        organization: node.organization.name,
        node: node.name,
      })),
  );
}

async function unlessForbidden<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FabricError && error.code === "forbidden") return undefined;
    throw error;
  }
}
