import { FabricError } from "../error.ts";
import type { NodeConnection } from "../fabric/node-connection.ts";
import { openGateway, type PeerGateway } from "../fabric/gateway.ts";
import type { SigningIdentity } from "../fabric/signing-identity.ts";
import type { OpenNetwork } from "./open-network.ts";
import { nodesOf, type FabricNode, type Organization } from "./spec.ts";

/** A node and who may ask it for something. */
export interface Reached {
  readonly connection: NodeConnection;
  /** The administrator of the node's organization. */
  readonly identity: SigningIdentity;
}

export async function reachPeer(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<Reached> {
  const [connection, { identity }] = await Promise.all([
    network.connection(node, signal),
    network.administrator(node.organization, signal),
  ]);
  return { connection, identity };
}

/** The first node of an organization, and for a peer its gateway. */
export async function reachOrganization(
  network: OpenNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<Reached & { readonly gateway: PeerGateway }> {
  return reachGateway(network, firstNode(organization), signal);
}

/** A peer with its gateway. */
export async function reachGateway(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<Reached & { readonly gateway: PeerGateway }> {
  const reached = await reachPeer(network, node, signal);
  return { ...reached, gateway: openGateway(reached.connection, reached.identity) };
}

export function firstNode(organization: Organization): FabricNode {
  const [node] = nodesOf(organization);
  if (!node) throw new FabricError("internal", `organization ${organization.name} has no node`);
  return node;
}
