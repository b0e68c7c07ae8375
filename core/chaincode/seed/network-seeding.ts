import type { FabricError } from "../../error.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { hostOf, nodesOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { Organization } from "../../network/resources/spec.ts";
import type { ActingStep } from "../../engine/step.ts";
import type { PackageToDeploy } from "../deployment/deployment.ts";
import { seededInstall } from "./seeded-install.ts";
import { seedPeer, type SeedPeer } from "../image/seed-peer.ts";
import { newSeedings, type SeededPackage, type Seeding } from "./seeding.ts";

/**
 * The seeding of each package over the peers of some organizations: any of these peers may have the image already. A peer runs what another
 * one has built, so only organizations that the command is about take part.
 */
export function networkSeedings(
  network: OpenNetwork,
  organizations: readonly Organization[],
): { readonly of: (pkg: SeededPackage) => Seeding; readonly peer: (node: FabricNode) => SeedPeer } {
  const peers = new Map(organizations.flatMap(nodesOf).map((node) => [hostOf(node), seedPeer(network, node)]));
  const seedings = newSeedings([...peers.values()]);
  network.atClose(() => seedings.close());
  return {
    peer: (node) => peers.get(hostOf(node)) ?? seedPeer(network, node),
    of: (pkg) => seedings.of(pkg),
  };
}

/** Makes installations find their image. `whenLeft`: the failure where a peer has installed the package, and nobody has its image. */
export function seededInstalls(
  network: OpenNetwork,
  organizations: readonly Organization[],
  whenLeft?: (node: FabricNode, pkg: PackageToDeploy) => FabricError,
): (node: FabricNode, pkg: PackageToDeploy, install: ActingStep) => ActingStep {
  const seedings = networkSeedings(network, organizations);
  return (node, pkg, install) =>
    seededInstall({
      install,
      pkg,
      peer: seedings.peer(node),
      seeding: seedings.of(pkg),
      whenLeft: whenLeft && (() => whenLeft(node, pkg)),
    });
}
