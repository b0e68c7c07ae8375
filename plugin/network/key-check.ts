import { FabricError } from "../error.ts";
import type { Cluster } from "../kube/cluster.ts";
import { describeRef, get, list, refOf } from "../kube/objects.ts";
import type { Step } from "../steps/step.ts";
import { authoritiesSecretName, mspConfigMapName } from "./identities.ts";
import { organizationLabels } from "./labels.ts";
import { organizations, type FabricNetwork, type Organization } from "./spec.ts";

/**
 * No organization has lost the keys of its authorities while what they issued is still there: new ones would be another
 * organization to every channel. Throws `conflict` before anything is written. Who may not look goes on unchecked.
 */
export function keysStep(cluster: Cluster, network: FabricNetwork, after: string): Step {
  return {
    id: "keys",
    title: "no organization has lost its authorities",
    after: [after],
    isCheck: true,
    async observe({ signal }) {
      await Promise.all(organizations(network).map((one) => checkKeys(cluster, network, one, signal)));
      return { done: true };
    },
    async act() {},
  };
}

async function checkKeys(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<void> {
  try {
    const left = await leftWithout(cluster, network, organization, signal);
    if (left.length === 0) return;
    const { name, namespace } = organization;
    throw new FabricError(
      "conflict",
      `expected Secret ${namespace}/${authoritiesSecretName}, which issued ${left.join(", ")}, found none`,
      {
        hint:
          `restore it from the backup (docs/security.md, "Keys"): with new authorities ${name} would be no member of its channels; ` +
          "nothing was changed",
      },
    );
  } catch (error) {
    if (error instanceof FabricError && error.code === "forbidden") return;
    throw error;
  }
}

/** What the authorities of an organization have issued, where they are gone. */
async function leftWithout(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { namespace } = organization;
  const home = await get(cluster, { kind: "Namespace", name: namespace }, signal);
  // What is still in one that is being removed goes, too.
  if (!home || home.metadata?.deletionTimestamp !== undefined) return [];
  if (await get(cluster, { kind: "Secret", namespace, name: authoritiesSecretName }, signal)) return [];
  const labels = organizationLabels(network, organization);
  const identity = { ...labels, "app.kubernetes.io/component": "identity" };
  const [identities, msp] = await Promise.all([
    list(cluster, { kind: "Secret", namespace, labels: identity }, signal),
    list(cluster, { kind: "ConfigMap", namespace, labels, fields: `metadata.name=${mspConfigMapName}` }, signal),
  ]);
  return [...identities, ...msp].map((object) => describeRef(refOf(object)));
}
