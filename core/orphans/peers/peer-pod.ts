import { isNodeSocket } from "../../injection/node-socket.ts";
import { findPeerContainer } from "../../injection/peer-container.ts";
import { hasSidecar } from "../../injection/sidecar.ts";
import type { ContainerOwner } from "../../fabric/chaincode/chaincode-container.ts";
import type { V1Container, V1Pod } from "../../kubernetes/client-node.ts";
import { networkLabel, nodeLabel, organizationLabel } from "../../network/resources/labels.ts";
import type { PodEnvironment } from "./pod-environment.ts";

/** A peer as its Pod shows it; kubectl-fabric need not have deployed it. */
export interface PeerPod {
  /** For people and for `--peer`: "peer0.org1" for a peer of our networks, "namespace/pod" for others. */
  readonly name: string;
  readonly namespace: string;
  readonly pod: string;
  readonly running: boolean;
  /** The container that runs the peer. */
  readonly container?: string | undefined;
  /** Why the peer has no Pod. */
  readonly absence?: string | undefined;
  readonly nodeName?: string | undefined;
  /** The Docker of its chaincode: its sidecar's, its node's, or one that we cannot reach. */
  readonly docker: "sidecar" | "node" | "other";
  /** Undefined when CORE_PEER_ID or CORE_PEER_NETWORKID cannot be read from the Pod. */
  readonly owner?: ContainerOwner | undefined;
  readonly mspId?: string | undefined;
  /** CORE_PEER_ADDRESS */
  readonly address?: string | undefined;
  /** The port of CORE_PEER_LISTENADDRESS, in the Pod; the Service's may differ. */
  readonly port?: number | undefined;
  readonly tls: boolean;
  /** From our labels, as the two below. */
  readonly network?: string | undefined;
  readonly organization?: string | undefined;
  readonly node?: string | undefined;
}

/** The container that runs the peer; undefined when the Pod has none, or several. */
export function peerContainerOf(pod: V1Pod): V1Container | undefined {
  try {
    return findPeerContainer(pod, undefined).container;
  } catch {
    return undefined;
  }
}

export function peerPod(pod: V1Pod, container: string, environment: PodEnvironment): PeerPod {
  const { name = "", namespace = "", labels = {} } = pod.metadata ?? {};
  const [network, organization, node] = [labels[networkLabel], labels[organizationLabel], labels[nodeLabel]];
  const said = (variable: string): string | undefined => environment.value(variable) || undefined;
  const peerId = said("CORE_PEER_ID");
  // sampleconfig/core.yaml, peer.networkId
  const networkId = environment.value("CORE_PEER_NETWORKID") === undefined ? "dev" : said("CORE_PEER_NETWORKID");
  return {
    name: network !== undefined && node !== undefined ? `${node}.${namespace}` : `${namespace}/${name}`,
    namespace,
    pod: name,
    running: pod.status?.phase === "Running" && pod.metadata?.deletionTimestamp === undefined,
    container,
    nodeName: pod.spec?.nodeName,
    docker: hasSidecar(pod) ? "sidecar" : (pod.spec?.volumes ?? []).some(isNodeSocket) ? "node" : "other",
    owner: peerId !== undefined && networkId !== undefined ? { networkId, peerId } : undefined,
    mspId: said("CORE_PEER_LOCALMSPID"),
    address: said("CORE_PEER_ADDRESS"),
    port: Number(/:(\d+)$/.exec(said("CORE_PEER_LISTENADDRESS") ?? "")?.[1]) || undefined,
    tls: said("CORE_PEER_TLS_ENABLED")?.toLowerCase() === "true",
    network,
    organization,
    node,
  };
}

/** The peers without ended Pods that another Pod has replaced: Kubernetes does not delete evicted Pods. */
export function withoutReplaced(peers: readonly (PeerPod & { readonly ended: boolean })[]): readonly PeerPod[] {
  const key = ({ namespace, owner }: PeerPod) => `${namespace}/${owner?.networkId}/${owner?.peerId}`;
  const alive = new Set(peers.filter(({ ended }) => !ended).map(key));
  return peers.filter((peer) => !peer.ended || !alive.has(key(peer)));
}
