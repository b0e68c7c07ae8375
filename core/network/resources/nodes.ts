import { organizations, type FabricNetwork, type NodeComponent, type Organization } from "./spec.ts";

/** An orderer or peer of a network. Its Service, StatefulSet and identity have its name. */
export interface FabricNode {
  readonly component: NodeComponent;
  readonly name: string;
  readonly organization: Organization;
}

export function nodesOf(organization: Organization): readonly FabricNode[] {
  const [component, count] =
    "orderers" in organization
      ? (["orderer", organization.orderers] as const)
      : (["peer", organization.peers] as const);
  return Array.from({ length: count }, (_, index) => ({ component, name: `${component}${index}`, organization }));
}

export const ordererNodes = ({ spec }: FabricNetwork): readonly FabricNode[] => nodesOf(spec.ordererOrganization);
export const peerNodes = ({ spec }: FabricNetwork): readonly FabricNode[] => spec.peerOrganizations.flatMap(nodesOf);

/** Service name and namespace: a host name that resolves in every namespace, with any cluster domain. */
export function hostOf({ name, organization }: FabricNode): string {
  return `${name}.${organization.namespace}`;
}

/** Ports of Fabric's samples. */
export const ports = {
  peer: 7051,
  orderer: 7050,
  ordererAdmin: 9443,
  peerOperations: 9443,
  ordererOperations: 8443,
} as const;

/** Ports for clients and other nodes, by their names in Kubernetes. */
export const clientPorts = {
  peer: { grpc: ports.peer },
  orderer: { grpc: ports.orderer, admin: ports.ordererAdmin },
} as const;

/** Nodes of `existing` that `wanted` lacks. `init` refuses them, for it never removes a ledger. */
export function removals(existing: FabricNetwork, wanted: FabricNetwork): readonly string[] {
  const remaining = new Set(organizations(wanted).flatMap(nodesOf).map(hostOf));
  return organizations(existing)
    .flatMap(nodesOf)
    .map(hostOf)
    .filter((host) => !remaining.has(host));
}
