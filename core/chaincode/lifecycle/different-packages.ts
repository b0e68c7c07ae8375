import { ifAnswered } from "../../engine/if-answered.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { approvalOf } from "../deployment/disagreement.ts";
import { shortId } from "./lifecycle-steps.ts";

/**
 * A sentence for the user when organizations run different packages under the same definition. Fabric allows that; it may be meant, or a
 * forgotten folder. Undefined when the packages are the same or not known, and for services: there each organization has a package of its
 * own, with its own address.
 */
export async function differentPackages(
  { network, channel, definition, targets }: Pick<Deployment, "network" | "channel" | "definition" | "targets">,
  signal: AbortSignal,
): Promise<string | undefined> {
  const packages = await Promise.all(
    network.definition.spec.peerOrganizations.map(async (organization) => {
      const own = targets.find((target) => target.organization.name === organization.name);
      const id = own
        ? own.pkg.id
        : (await approvalOf(network, channel, definition, organization.mspId, signal))?.packageId;
      return { organization: organization.name, id };
    }),
  );
  const known = packages.flatMap(({ organization, id }) => (id === undefined ? [] : [{ organization, id }]));
  if (new Set(known.map(({ id }) => id)).size < 2 || (await areServices(targets, signal))) return undefined;
  const each = known.map(({ organization, id }) => `${organization} ${shortId(id)}`).join(", ");
  return `the organizations run different packages of ${definition.name}: ${each}; the same source gives the same package`;
}

/** True also when no package can be read: then there is no sentence. */
async function areServices(targets: readonly Target[], signal: AbortSignal): Promise<boolean> {
  const types = targets.map(async ({ pkg }) => pkg.type ?? (await pkg.load(signal)).metadata.type);
  return (await ifAnswered(Promise.all(types), signal))?.includes("ccaas") ?? true;
}
