import { FabricError } from "../../core/error.ts";
import { connectNode, type NodeConnection } from "../../core/fabric/node/node-connection.ts";
import { newSigningIdentity } from "../../core/fabric/identity/signing-identity.ts";
import type { ApiRequest, Cluster } from "../../core/kubernetes/cluster.ts";
import { nodeLabel } from "../../core/network/resources/labels.ts";
import type { OpenNetwork } from "../../core/network/session/open-network.ts";
import { hostOf } from "../../core/network/resources/nodes.ts";
import { parseNetwork, type Organization } from "../../core/network/resources/spec.ts";
import type { Network, PeerNode } from "../integration/emulator/network/network.ts";

/** The plugin's view of a network of processes: what it does on a cluster, without one. */
export interface PluginNetwork extends OpenNetwork {
  /** The plugin sees a peer's Pod as ready, or not. */
  setReady(host: string, ready: boolean): void;
}

/** `org1` is Org1MSP, its peers peer0.org1 and so on. Pods are ready unless told, and have no Docker daemon to look into. */
export function pluginNetwork(network: Network): PluginNetwork {
  const names = [...new Set(network.peers.map(({ organization }) => organization.mspId))];
  const definition = parseNetwork(
    {
      apiVersion: "kubectl-fabric.io/v1alpha1",
      kind: "FabricNetwork",
      metadata: { name: "fabric" },
      spec: {
        fabricVersion: "3.1",
        images: { peer: "peer", orderer: "orderer" },
        storage: { ledger: "1Gi", docker: "1Gi" },
        ordererOrganization: {
          name: "orderer",
          mspId: network.ordererOrganization.mspId,
          namespace: "orderer",
          orderers: network.orderers.length,
        },
        peerOrganizations: names.map((mspId) => {
          const name = mspId.replace(/MSP$/, "").toLowerCase();
          return { name, mspId, namespace: name, peers: peersOf(network, mspId).length };
        }),
      },
    },
    "the network of processes",
  );
  const notReady = new Set<string>();
  const connections = new Map<string, NodeConnection>();
  const cleanups: (() => Promise<void>)[] = [];
  const organizationOf = ({ mspId }: Organization) =>
    [network.ordererOrganization, ...network.peers.map(({ organization }) => organization)].find(
      (candidate) => candidate.mspId === mspId,
    ) ?? network.ordererOrganization;
  const endpoint: OpenNetwork["endpoint"] = async (node) => {
    const peer = peersOf(network, node.organization.mspId)[Number(node.name.replace("peer", ""))];
    if (!peer || node.component !== "peer") throw new Error(`no process plays ${hostOf(node)}`);
    const port = Number(peer.address.split(":")[1]);
    const tlsRootCertificates = organizationOf(node.organization).tlsCa.certificate;
    return { host: "127.0.0.1", port, serverName: "localhost", tlsRootCertificates };
  };
  return {
    cluster: podsOnly(notReady),
    definition,
    endpoint,
    certificates: async (organization) => {
      const { ca, tlsCa } = organizationOf(organization);
      return { root: ca.certificate, tlsRoot: tlsCa.certificate };
    },
    administrator: async (organization) => {
      const { admin } = organizationOf(organization);
      const credential = { certificate: admin.certificate, privateKey: admin.key };
      return { identity: newSigningIdentity(organization.mspId, credential), tls: credential };
    },
    connection: async (node, signal) => {
      const connection = connections.get(hostOf(node)) ?? connectNode(await endpoint(node, 0, signal));
      connections.set(hostOf(node), connection);
      return connection;
    },
    atClose: (cleanup) => void cleanups.push(cleanup),
    close: async () => {
      for (const connection of connections.values()) connection.close();
      await Promise.all(cleanups.map((cleanup) => cleanup()));
    },
    setReady: (host, ready) => void (ready ? notReady.delete(host) : notReady.add(host)),
  };
}

function peersOf({ peers }: Network, mspId: string): readonly PeerNode[] {
  return peers.filter(({ organization }) => organization.mspId === mspId);
}

/** An API server that has Pods and nothing else. */
function podsOnly(notReady: ReadonlySet<string>): Cluster {
  const refuse = (what: string) =>
    Promise.reject(new FabricError("not-found", `expected no ${what}: there is no cluster`));
  return {
    context: "none",
    server: "https://none",
    namespace: "default",
    call: async ({ path, query }: ApiRequest) => {
      // Nobody has run chaincode as a service here.
      if (/\/(deployments|services|networkpolicies|secrets)$/.test(path)) return { items: [] };
      const namespace = /^\/api\/v1\/namespaces\/([^/]+)\/pods$/.exec(path)?.[1];
      const name = new RegExp(`${nodeLabel}=([a-z0-9]+)`).exec(String(query?.["labelSelector"]))?.[1];
      if (namespace === undefined || name === undefined) return refuse(path);
      const status = notReady.has(`${name}.${namespace}`) ? "False" : "True";
      const conditions = [{ type: "Ready", status }];
      return { items: [{ metadata: { name: `${name}-0`, namespace }, status: { phase: "Running", conditions } }] };
    },
    stream: ({ path }) => refuse(path),
    webSocket: (path) => refuse(path),
    lasting: () => {
      throw new Error("not part of this test");
    },
    close: () => {},
  };
}
