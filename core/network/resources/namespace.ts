import type { V1ConfigMap, V1Namespace } from "../../kubernetes/client-node.ts";
import { stringify } from "yaml";
import { namespaceLabel } from "../../injection/annotations.ts";
import { organizationLabels } from "./labels.ts";
import { peerSecurity, type FabricNetwork, type Organization } from "./spec.ts";

/**
 * The namespace of one organization. Peers get a sidecar, so theirs must allow it (Pod Security admission);
 * orderers need nothing, so theirs allows nothing.
 */
export function namespaceOf(network: FabricNetwork, organization: Organization): V1Namespace {
  const level = "peers" in organization ? peerSecurity(network) : "restricted";
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: organization.namespace,
      labels: {
        ...organizationLabels(network, organization),
        "pod-security.kubernetes.io/enforce": level,
        ...("peers" in organization ? { [namespaceLabel]: "enabled" } : {}),
      },
    },
  };
}

export const networkConfigMapName = "fabric-network";
export const networkConfigMapKey = "network.yaml";

/** Each organization's namespace carries the network's definition: whoever may read one namespace can find the rest. */
export function networkConfigMap(network: FabricNetwork, organization: Organization): V1ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: networkConfigMapName,
      namespace: organization.namespace,
      labels: organizationLabels(network, organization),
    },
    data: { [networkConfigMapKey]: stringify(network) },
  };
}
