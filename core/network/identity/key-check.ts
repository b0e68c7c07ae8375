import { FabricError } from "../../error.ts";
import { ifAllowed } from "../../kubernetes/allowed.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { describeRef, get } from "../../kubernetes/objects.ts";
import type { Step } from "../../engine/step.ts";
import { adminIdentityName, identitySecretName } from "./identity-secret.ts";
import { authoritiesSecretName, mspConfigMapName } from "./identities.ts";
import { hasLabels } from "../../kubernetes/ownership.ts";
import { organizationLabels } from "../resources/labels.ts";
import { nodesOf } from "../resources/nodes.ts";
import { organizations, type FabricNetwork, type Organization } from "../resources/spec.ts";

/**
 * A check that no organization has lost the keys of its authorities while certificates of them exist: with new authorities it would
 * be another organization for every channel. Throws `conflict` before anything is written. Does not check what the user may not read.
 */
export function keysStep(cluster: Cluster, network: FabricNetwork, after: Step): Step {
  return {
    id: "keys",
    title: "no organization has lost its authorities",
    after: [after],
    isCheck: true,
    async observe({ signal }) {
      await Promise.all(organizations(network).map((one) => checkKeys(cluster, network, one, signal)));
      return { is: "so" };
    },
  };
}

async function checkKeys(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<void> {
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
}

/** Objects that an organization's missing authorities have issued; empty when the authorities exist, or may not be read. */
async function leftWithout(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { namespace } = organization;
  const home = await ifAllowed(get(cluster, { kind: "Namespace", name: namespace }, signal));
  // A namespace that is being removed takes these objects with it.
  if (home?.metadata?.deletionTimestamp !== undefined) return [];
  const authorities = { kind: "Secret", namespace, name: authoritiesSecretName } as const;
  if ((await ifAllowed(get(cluster, authorities, signal), "not to be seen")) !== undefined) return [];
  const names = [adminIdentityName, ...nodesOf(organization).map((node) => node.name)].map(identitySecretName);
  const refs = [
    ...names.map((name) => ({ kind: "Secret", namespace, name })),
    { kind: "ConfigMap", namespace, name: mspConfigMapName },
  ];
  // One by one, because a user may have the rights to get and create, but not to list.
  const found = await Promise.all(refs.map((ref) => ifAllowed(get(cluster, ref, signal))));
  const labels = organizationLabels(network, organization);
  // Restored Secrets may have lost their labels, but only we use their names. A ConfigMap "msp" may be somebody else's.
  return refs
    .filter((ref, index) => (ref.kind === "Secret" ? found[index] : hasLabels(found[index], labels)))
    .map(describeRef);
}
