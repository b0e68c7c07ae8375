import type { V1ConfigMap, V1Namespace } from "../../kubernetes/client-node.ts";
import { stringify } from "yaml";
import { namespaceLabel } from "../../injection/annotations.ts";
import { organizationLabels } from "./labels.ts";
import { peerSecurity, type FabricNetwork, type Organization } from "./spec.ts";

/**
 * The namespace of one organization. A peer organization's has to admit the sidecars (Pod Security admission); that of the orderers
 * is "restricted".
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

/** The copy of the network's definition in an organization's namespace: a user of one namespace can find the others by it. */
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
