import type { KubernetesObject, V1NetworkPolicy, V1PodDisruptionBudget } from "../kube/client-node.ts";
import { metricsReaderLabel, nodesSelector, organizationLabels } from "./labels.ts";
import { clientPorts, ports, type FabricNetwork, type Organization } from "./spec.ts";

/** What stands beside an organization's nodes: who may connect to them, and how many of them may be taken away at a time. */
export function safeguards(network: FabricNetwork, organization: Organization): readonly KubernetesObject[] {
  return [networkPolicy(network, organization), disruptionBudget(network, organization)];
}

const metadataOf = (network: FabricNetwork, organization: Organization) => ({
  name: "fabric-nodes",
  namespace: organization.namespace,
  labels: organizationLabels(network, organization),
});

/**
 * Everybody may call what asks for certificates. The operations port does not: who reads metrics has a label on their namespace. A kubelet
 * that asks how a node is comes in whatever a policy says, and so does a port-forward.
 */
function networkPolicy(network: FabricNetwork, organization: Organization): V1NetworkPolicy {
  const [called, operations] =
    "orderers" in organization
      ? [clientPorts.orderer, ports.ordererOperations]
      : [clientPorts.peer, ports.peerOperations];
  const tcp = (port: number) => ({ protocol: "TCP", port });
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadataOf(network, organization),
    spec: {
      podSelector: { matchLabels: nodesSelector(organization) },
      policyTypes: ["Ingress"],
      ingress: [
        { ports: Object.values(called).map(tcp) },
        {
          _from: [{ namespaceSelector: { matchLabels: { [metricsReaderLabel]: "true" } } }],
          ports: [tcp(operations)],
        },
      ],
    },
  };
}

/** A drained node of the cluster takes one after the other; what is broken already is not held (KEP-3017). */
function disruptionBudget(network: FabricNetwork, organization: Organization): V1PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: metadataOf(network, organization),
    spec: {
      maxUnavailable: 1,
      selector: { matchLabels: nodesSelector(organization) },
      unhealthyPodEvictionPolicy: "AlwaysAllow",
    },
  };
}
