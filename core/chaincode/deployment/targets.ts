import { FabricError } from "../../error.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { podProblem } from "../../network/operations/pod-problem.ts";
import { hostOf, nodesOf, peerNodes, type FabricNode } from "../../network/resources/nodes.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import type { Target } from "./deployment.ts";

/** Organizations and peers that a user names; all unless told. */
export interface Chosen {
  readonly organizations?: readonly string[] | undefined;
  /** "peer0.org1" */
  readonly peers?: readonly string[] | undefined;
}

/** A target whose package is still open. */
export type Place = Omit<Target, "pkg">;

/**
 * The chosen organizations, each with its chosen peers and its gateway. Throws `usage` for names that the network does not know,
 * `forbidden` when the user may not act for one of them.
 */
export async function chosenPlaces(
  network: OpenNetwork,
  chosen: Chosen,
  signal: AbortSignal,
): Promise<readonly Place[]> {
  const organizations = chosenOrganizations(network, chosen.organizations);
  const peers = chosenPeers(network, organizations, chosen.peers);
  const found = await Promise.all(
    organizations.map((organization) => {
      const own = peers.filter((node) => node.organization === organization);
      return placeOf(network, organization, own, signal).catch(ifForbidden);
    }),
  );
  const places = found.flatMap((each) => (each instanceof FabricError ? [] : [each]));
  const refusal = found.find((each) => each instanceof FabricError);
  if (refusal === undefined) return places;
  if (places.length === 0) throw refusal;
  const names = places.map(({ organization }) => organization.name);
  throw new FabricError("forbidden", refusal.message, {
    hint: [`you have the rights for ${names.join(", ")} alone: `, { setting: "organizations", to: names }],
    cause: refusal,
  });
}

function ifForbidden(error: unknown): FabricError {
  if (error instanceof FabricError && error.code === "forbidden") return error;
  throw error;
}

async function placeOf(
  network: OpenNetwork,
  organization: PeerOrganization,
  peers: readonly FabricNode[],
  signal: AbortSignal,
): Promise<Place> {
  const all = nodesOf(organization);
  const problems = await Promise.all(all.map((node) => podProblem(network, node, signal)));
  const ready = all.filter((_, index) => problems[index] === undefined);
  // A ready peer that runs the chaincode, else any ready one. When none is ready: the first, and failures name it.
  const speaks = (node: FabricNode) => ready.includes(node) && hosts(peers).includes(hostOf(node));
  const gateway = all.find(speaks) ?? ready[0] ?? all[0];
  if (!gateway) throw new FabricError("internal", `organization ${organization.name} has no node`);
  const late = ready.length === 0 ? [] : peers.filter((node) => !hosts(ready).includes(hostOf(node)));
  return { organization, peers, late, gateway };
}

const hosts = (nodes: readonly FabricNode[]): readonly string[] => nodes.map(hostOf);

export function chosenOrganizations(
  { definition }: OpenNetwork,
  names: readonly string[] | undefined,
): readonly PeerOrganization[] {
  const all = definition.spec.peerOrganizations;
  const unknown = names?.find((name) => !all.some((organization) => organization.name === name));
  if (unknown !== undefined) {
    throw new FabricError(
      "usage",
      `expected organizations of the network (${all.map(({ name }) => name).join(", ")}), found ${unknown}`,
    );
  }
  return names ? all.filter(({ name }) => names.includes(name)) : all;
}

function chosenPeers(
  { definition }: OpenNetwork,
  organizations: readonly PeerOrganization[],
  names: readonly string[] | undefined,
): readonly FabricNode[] {
  const all = peerNodes(definition);
  const unknown = names?.find((name) => !hosts(all).includes(name));
  if (unknown !== undefined) {
    throw new FabricError("usage", `expected peers of the network (${hosts(all).join(", ")}), found ${unknown}`);
  }
  return all.filter(
    (node) =>
      organizations.some(({ name }) => name === node.organization.name) &&
      (names === undefined || names.includes(hostOf(node))),
  );
}
