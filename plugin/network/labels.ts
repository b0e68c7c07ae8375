import type { FabricNetwork, FabricNode, Organization } from "./spec.ts";

const prefix = "kubectl-fabric.io/";

export const networkLabel = `${prefix}network`;
export const organizationLabel = `${prefix}org`;
export const nodeLabel = `${prefix}node`;
/** On a namespace: the webhook may act there. */
export const injectionLabel = `${prefix}injection`;
/** On a namespace, set by an administrator: its Pods may read the metrics of nodes. */
export const metricsReaderLabel = `${prefix}metrics-reader`;
/** On a Pod template: give this peer a Docker daemon. */
export const injectAnnotation = `${prefix}inject`;
/** On a Pod template: stop chaincode that nobody has called for so long. */
export const chaincodeIdleAnnotation = `${prefix}chaincode-idle`;
export const dindStorageAnnotation = `${prefix}dind-storage`;
export const profileAnnotation = `${prefix}profile`;

export const managedBy = { "app.kubernetes.io/managed-by": "kubectl-fabric" } as const;

/** What else to do where a name is taken that follows from an organization's. */
export const otherOrganizations = "choose other organizations with --peer-orgs and --orderer-org";

/** Whether an object, if there is one, has all these labels. */
export function hasLabels(
  object:
    { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> | undefined } | undefined } | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => object?.metadata?.labels?.[key] === value);
}

export function organizationLabels(network: FabricNetwork, organization: Organization): Record<string, string> {
  return { ...managedBy, [networkLabel]: network.metadata.name, [organizationLabel]: organization.name };
}

export function nodeLabels(network: FabricNetwork, node: FabricNode): Record<string, string> {
  return {
    ...organizationLabels(network, node.organization),
    "app.kubernetes.io/component": node.component,
    [nodeLabel]: node.name,
  };
}

/** What selects the Pod of one node within its namespace. */
export function nodeSelector(node: FabricNode): Record<string, string> {
  return { "app.kubernetes.io/component": node.component, [nodeLabel]: node.name };
}

/** What selects the Pods of all nodes of an organization within its namespace. */
export function nodesSelector({ name, ...organization }: Organization): Record<string, string> {
  const component: FabricNode["component"] = "orderers" in organization ? "orderer" : "peer";
  return { "app.kubernetes.io/component": component, [organizationLabel]: name };
}
