import { FabricError } from "../../error.ts";
import { approvedDefinition, committedDefinitions } from "../../fabric/lifecycle.ts";
import { peerChannels } from "../../fabric/peer-channels.ts";
import type { OpenNetwork } from "../../network/open-network.ts";
import { reachPeer } from "../../network/reach.ts";
import { hostOf, nodesOf } from "../../network/spec.ts";
import type { Step } from "../../steps/step.ts";
import type { PackageToDeploy } from "../deployment.ts";
import { installStep, shortId } from "../lifecycle-steps.ts";
import { packageOnPeers } from "../package-source.ts";
import { chosenPlaces, type Chosen, type Place } from "../targets.ts";
import { networkSeedings } from "./network-seeding.ts";
import { seededInstall } from "./seeded-install.ts";

export interface SeedRequest extends Chosen {
  /** Of a chaincode; every committed one unless told. */
  readonly name?: string | undefined;
}

/**
 * Every peer can run what its organization has approved of the committed definitions: it has installed the package, and its
 * daemon has the image, without building it. For peers that came later, and such as lost their images.
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
    const what = request.name === undefined ? "chaincode" : `the chaincode ${request.name}`;
    throw new FabricError("not-found", `expected ${what} on a channel, approved with a package, found none`, {
      hint: "kubectl fabric deploy-cc NAME --path DIR --channel CHANNEL",
    });
  }
  const seedings = networkSeedings(
    network,
    places.map(({ organization }) => organization),
  );
  return wanted.flatMap(({ place, packages }) =>
    packages.flatMap((pkg) =>
      place.peers.map((node) => {
        const install = installStep({ network }, { ...place, pkg }, node, []);
        const step = {
          ...install,
          id: `seed/${hostOf(node)}/${pkg.id}`,
          title: `${hostOf(node)} can run ${shortId(pkg.id)}`,
        };
        return seededInstall({ install: step, pkg, peer: seedings.peer(node), seeding: seedings.of(pkg) });
      }),
    ),
  );
}

/** What an organization is to run by its own approvals, on all channels that its peer has joined. */
async function packagesOf(
  network: OpenNetwork,
  { organization, gateway }: Place,
  name: string | undefined,
  signal: AbortSignal,
): Promise<readonly PackageToDeploy[]> {
  const { connection, identity } = await reachPeer(network, gateway, signal);
  const options = { signal };
  const ids = new Set<string>();
  for (const channel of await peerChannels(connection, identity, options)) {
    const definitions = await committedDefinitions(connection, identity, channel, options);
    for (const definition of definitions.filter((one) => name === undefined || one.name === name)) {
      const approved = await approvedDefinition(connection, identity, channel, definition, options);
      if (approved?.packageId !== undefined) ids.add(approved.packageId);
    }
  }
  const peers = nodesOf(organization);
  return Promise.all(
    [...ids].map(async (id) => {
      const found = packageOnPeers(network, id, peers);
      const { metadata } = await found.load(signal);
      return { ...found, type: metadata.type };
    }),
  );
}
