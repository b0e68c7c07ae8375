import { FabricError } from "../../error.ts";
import type { NodeConnection } from "../../fabric/node/node-connection.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { openGateway, type PeerGateway } from "../../fabric/node/gateway.ts";
import type { OpenNetwork } from "./open-network.ts";
import { hostOf, nodesOf, type FabricNode } from "../resources/nodes.ts";
import type { Organization } from "../resources/spec.ts";

/** A client that asks a node as the administrator of its organization, until the signal is aborted. */
export async function reachPeer(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<NodeClient> {
  const [connection, { identity }] = await Promise.all([
    network.connection(node, signal),
    network.administrator(node.organization, signal),
  ]);
  return { connection, identity, signal };
}

/** The first of an organization's nodes that runs, with its gateway. */
export async function reachOrganization(
  network: OpenNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<NodeClient & { readonly gateway: PeerGateway }> {
  return firstThatRuns(organization, (node) => reachGateway(network, node, signal));
}

/** A connection to the first of an organization's nodes that runs. */
export function connectOrganization(
  network: OpenNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<NodeConnection> {
  return firstThatRuns(organization, (node) => network.connection(node, signal));
}

/** Throws `not-ready` when none of them has a running Pod. */
async function firstThatRuns<T>(organization: Organization, reach: (node: FabricNode) => Promise<T>): Promise<T> {
  const nodes = nodesOf(organization);
  let failure: FabricError | undefined;
  for (const node of nodes) {
    try {
      return await reach(node);
    } catch (error) {
      if (!(error instanceof FabricError && error.code === "not-ready")) throw error;
      failure ??= error;
    }
  }
  if (failure && nodes.length > 1) throw noneRuns(organization, nodes, failure);
  throw failure ?? new FabricError("internal", `organization ${organization.name} has no node`);
}

function noneRuns({ name }: Organization, nodes: readonly FabricNode[], cause: FabricError): FabricError {
  const [first] = nodes;
  return new FabricError(
    "not-ready",
    `expected a running Pod of one of the ${first?.component}s of ${name} (${nodes.map(hostOf).join(", ")}), found none`,
    { hint: cause.hint, cause },
  );
}

/** A peer with its gateway, which keeps the time of this client: a narrower copy of the client has the same one. */
export async function reachGateway(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<NodeClient & { readonly gateway: PeerGateway }> {
  const client = await reachPeer(network, node, signal);
  return { ...client, gateway: openGateway(client) };
}
