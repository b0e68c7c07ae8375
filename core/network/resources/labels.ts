import { annotationPrefix } from "../../injection/annotations.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import type { FabricNode } from "./nodes.ts";
import type { FabricNetwork, Organization } from "./spec.ts";
import type { Remedy } from "../../remedy.ts";

export const networkLabel = `${annotationPrefix}network`;
export const organizationLabel = `${annotationPrefix}org`;
export const nodeLabel = `${annotationPrefix}node`;
/** The label, set by an administrator, of a namespace whose Pods may read the nodes' metrics. */
export const metricsReaderLabel = `${annotationPrefix}metrics-reader`;

/** What else to do where a name is taken that follows from an organization's. */
export const otherOrganizations: Remedy = [
  "choose other organizations with ",
  { setting: "peerOrganizations" },
  " and ",
  { setting: "ordererOrganization" },
];

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

/** The labels that select the Pod of one node within its namespace. */
export function nodeSelector(node: FabricNode): Record<string, string> {
  return { "app.kubernetes.io/component": node.component, [nodeLabel]: node.name };
}

/** The labels that select the Pods of all nodes of an organization within its namespace. */
export function nodesSelector({ name, ...organization }: Organization): Record<string, string> {
  const component: FabricNode["component"] = "orderers" in organization ? "orderer" : "peer";
  return { "app.kubernetes.io/component": component, [organizationLabel]: name };
}
