import type { Cluster } from "../../kubernetes/cluster.ts";
import { ifAllowed } from "../../kubernetes/allowed.ts";
import type { KubernetesObject, V1NetworkPolicy, V1PodDisruptionBudget } from "../../kubernetes/client-node.ts";
import { list } from "../../kubernetes/objects.ts";
import type { Step } from "../../engine/step.ts";
import { hasLabels, managedBy } from "../../kubernetes/ownership.ts";
import { metricsReaderLabel, nodesSelector, organizationLabels } from "../resources/labels.ts";
import { appliedStep } from "../../kubernetes/steps/object-steps.ts";
import { clientPorts, ports } from "../resources/nodes.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/**
 * A step that makes the NetworkPolicy and the PodDisruptionBudget of an organization's nodes. Policies add up: beside policies of somebody
 * else, ours would open ports that those restrict, so it is not made then.
 */
export function safeguardsStep(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  after: Step,
): Step {
  const { name, namespace } = organization;
  const step = {
    id: `${name}/safeguards`,
    title: `${name}: who may connect, and how many nodes may go at a time`,
    after: [after],
  };
  const look = async (signal: AbortSignal) => {
    const policies = await ifAllowed(list(cluster, { kind: "NetworkPolicy", namespace }, signal), []);
    const [theirs] = policies.filter((policy) => !hasLabels(policy, managedBy));
    const objects = safeguards(network, organization).filter(({ kind }) => !theirs || kind !== "NetworkPolicy");
    return { theirs: theirs?.metadata?.name, applied: appliedStep(cluster, { ...step, objects }) };
  };
  return {
    ...step,
    async observe(context) {
      const { theirs, applied } = await look(context.signal);
      const observation = await applied.observe(context);
      const detail = theirs === undefined ? undefined : `who may connect is left to NetworkPolicy ${theirs}`;
      return observation.is === "so" && detail !== undefined ? { ...observation, detail } : observation;
    },
    act: async (context) => (await look(context.signal)).applied.act(context),
  };
}

export function safeguards(network: FabricNetwork, organization: Organization): readonly KubernetesObject[] {
  return [networkPolicy(network, organization), disruptionBudget(network, organization)];
}

const metadataOf = (network: FabricNetwork, organization: Organization) => ({
  name: "fabric-nodes",
  namespace: organization.namespace,
  labels: organizationLabels(network, organization),
});

/**
 * Every Pod may call the ports with TLS. The operations port has no TLS: only labelled namespaces may read metrics there. The kubelet's
 * probes and port-forwards pass any policy.
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

/** A drained node of the cluster evicts one node at a time; unhealthy Pods may always be evicted (KEP-3017). */
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
