import { FabricError } from "../../error.ts";
import { approvedDefinition, installedChaincodes } from "../../fabric/chaincode/lifecycle.ts";
import { peerChannels } from "../../fabric/channel/peer-channels.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { hostOf, nodesOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { Step } from "../../engine/step.ts";
import { isLate, type PackageToDeploy } from "../deployment/deployment.ts";
import { definitionsOn } from "../deployment/furthest-peer.ts";
import { installStep, shortId } from "../lifecycle/lifecycle-steps.ts";
import { atPeer } from "../lifecycle/peer-step.ts";
import { packageOnPeers } from "../package/package-source.ts";
import { chosenPlaces, type Chosen, type Place } from "../deployment/targets.ts";
import { imageStep } from "../lifecycle/image-step.ts";
import { networkSeedings } from "../seed/network-seeding.ts";
import { seededInstall } from "../seed/seeded-install.ts";
import type { Provision } from "../seed/seeding.ts";

export interface SeedRequest extends Chosen {
  /** Of a chaincode; every committed one unless told. */
  readonly name?: string | undefined;
  /** Image archives that each daemon has to have before. */
  readonly loadImage?: readonly string[] | undefined;
  /** Told of each peer that can run a package now, and could not before. */
  readonly onBrought?: ((brought: BroughtImage) => void) | undefined;
}

/** What a peer got. */
export interface BroughtImage {
  readonly peer: string;
  readonly packageId: string;
  readonly provision: Provision;
}

/**
 * Every peer can run the packages that its organization has approved for the committed definitions: the peer has installed the package, and
 * its daemon has the image, without a build. For peers that came later or lost their images. Throws `usage` when `name` is approved
 * nowhere, `not-found` when no chaincode is.
 */
export async function seedSteps(
  network: OpenNetwork,
  request: SeedRequest,
  signal: AbortSignal,
): Promise<readonly Step[]> {
  const places = await chosenPlaces(network, request, signal);
  const wanted = await Promise.all(
    places.map(async (place) => ({ place, packages: await packagesOf(network, place, request.name, signal) })),
  );
  if (wanted.every(({ packages }) => packages.length === 0)) {
    if (request.name !== undefined) {
      throw new FabricError(
        "usage",
        `expected a chaincode that is on a channel, approved with a package, found ${request.name}`,
        {
          hint: [
            { operation: "chaincode list" },
            "; ",
            { operation: "deploy", of: request.name, with: { path: "DIR", channel: "CHANNEL" } },
          ],
        },
      );
    }
    throw new FabricError("not-found", "expected chaincode on a channel, approved with a package, found none", {
      hint: { operation: "deploy", of: "NAME", with: { path: "DIR", channel: "CHANNEL" } },
    });
  }
  return wantedSteps(
    network,
    wanted.flatMap(({ place, packages }) =>
      packages.flatMap((pkg) => place.peers.map((node): Wanted => ({ place, pkg, node }))),
    ),
    request,
  );
}

/**
 * Peers that have joined a channel late can run its chaincode: they get it from other peers of their organization. Left out are packages
 * that none of these peers has (a deployment brings them), and peers that have only lost an image (`seedSteps`).
 */
export async function lateSteps(
  network: OpenNetwork,
  channel: string,
  organizations: Chosen["organizations"],
  signal: AbortSignal,
): Promise<readonly Step[]> {
  const places = await chosenPlaces(network, { organizations }, signal);
  const wanted = await Promise.all(
    places.map(async (place): Promise<readonly Wanted[]> => {
      const ids = await approvedOn(network, place.peers, channel, () => true, signal);
      if (ids.length === 0) return [];
      const peers = await Promise.all(
        place.peers.map(async (node) => ({ node, installed: await installedOn(network, node, signal) })),
      );
      const spread = ids.flatMap((id) => {
        const having = peers.filter(({ installed }) => installed.has(id)).map(({ node }) => node);
        return having.length === 0 ? [] : [{ pkg: packageOnPeers(network, id, having), id }];
      });
      return spread.flatMap(({ pkg, id }) =>
        peers.flatMap(({ node, installed }) => (installed.has(id) ? [] : [{ place, pkg, node }])),
      );
    }),
  );
  return wantedSteps(network, wanted.flat());
}

/** A package that a peer is to be able to run. */
export interface Wanted {
  readonly place: Place;
  readonly pkg: PackageToDeploy;
  readonly node: FabricNode;
}

/** The steps for these packages. Reads the image archives; asks neither the cluster nor a node. */
export async function wantedSteps(
  network: OpenNetwork,
  wanted: readonly Wanted[],
  { loadImage = [], onBrought }: Pick<SeedRequest, "loadImage" | "onBrought"> = {},
): Promise<readonly Step[]> {
  const seedings = networkSeedings(network, [...new Set(wanted.map(({ place }) => place.organization))]);
  const nodes = new Map(wanted.map(({ place, node }) => [hostOf(node), { place, node }]));
  const loaded = await Promise.all(
    [...nodes].flatMap(([host, { place, node }]) =>
      loadImage.map(async (file) => ({ host, step: await imageStep({ network }, place, node, file) })),
    ),
  );
  const seeded = wanted.map(({ place, pkg, node }) => {
    const peer = hostOf(node);
    const after = loaded.filter(({ host }) => host === peer).map(({ step }) => step);
    const step = {
      ...installStep({ network }, { ...place, pkg }, node, after),
      id: seedStepId(peer, pkg.id),
      title: `${peer} can run ${shortId(pkg.id)}`,
    };
    const seeded = seededInstall({
      install: step,
      pkg,
      peer: seedings.peer(node),
      seeding: seedings.of(pkg),
      onProvision: (provision) => onBrought?.({ peer, packageId: pkg.id, provision }),
    });
    return atPeer({ network, patience: undefined }, node, seeded);
  });
  return [...loaded.map(({ step }) => step), ...seeded];
}

/** "seed/peer0.org1/asset:0a1b..." */
const seedStepId = (peer: string, packageId: string): string => `seed/${peer}/${packageId}`;

/** The packages that an organization has approved, on all channels that its gateway has joined. */
async function packagesOf(
  network: OpenNetwork,
  place: Place,
  name: string | undefined,
  signal: AbortSignal,
): Promise<readonly PackageToDeploy[]> {
  const client = await reachPeer(network, place.gateway, signal);
  const ids = new Set<string>();
  const asked = [place.gateway, ...place.peers.filter((node) => !isLate(place, node))];
  for (const channel of await peerChannels(client)) {
    const isWanted = (chaincode: string): boolean => name === undefined || chaincode === name;
    for (const id of await approvedOn(network, asked, channel, isWanted, signal)) ids.add(id);
  }
  const peers = nodesOf(place.organization);
  return Promise.all(
    [...ids].map(async (id) => {
      const found = packageOnPeers(network, id, peers);
      const { metadata } = await found.load(signal);
      return { ...found, type: metadata.type };
    }),
  );
}

/** IDs of the packages that an organization has approved for what a channel has committed, as its furthest peers say. */
async function approvedOn(
  network: OpenNetwork,
  peers: readonly FabricNode[],
  channel: string,
  isWanted: (chaincode: string) => boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ids = new Set<string>();
  for (const { definition, by } of await definitionsOn(network, channel, peers, signal)) {
    if (!isWanted(definition.name)) continue;
    const approved = await approvedDefinition(by, channel, definition);
    if (approved?.packageId !== undefined) ids.add(approved.packageId);
  }
  return [...ids];
}

async function installedOn(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const client = await reachPeer(network, node, signal);
  return new Set((await installedChaincodes(client)).map(({ packageId }) => packageId));
}
