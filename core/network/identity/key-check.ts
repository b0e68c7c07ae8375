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
 * No organization has lost the keys of its authorities while what they issued is still there: new ones would be another
 * organization to every channel. Throws `conflict` before anything is written. Who may not look goes on unchecked.
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

/** What the authorities of an organization have issued, where they are gone; as far as one may see. */
async function leftWithout(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { namespace } = organization;
  const home = await ifAllowed(get(cluster, { kind: "Namespace", name: namespace }, signal));
  // What is still in one that is being removed goes, too.
  if (home?.metadata?.deletionTimestamp !== undefined) return [];
  const authorities = { kind: "Secret", namespace, name: authoritiesSecretName } as const;
  if ((await ifAllowed(get(cluster, authorities, signal), "not to be seen")) !== undefined) return [];
  const names = [adminIdentityName, ...nodesOf(organization).map((node) => node.name)].map(identitySecretName);
  const refs = [
    ...names.map((name) => ({ kind: "Secret", namespace, name })),
    { kind: "ConfigMap", namespace, name: mspConfigMapName },
  ];
  // One by one: who may not list them may still be allowed to get, and to create.
  const found = await Promise.all(refs.map((ref) => ifAllowed(get(cluster, ref, signal))));
  const labels = organizationLabels(network, organization);
  // What was restored from a backup may have lost its labels; only we call a Secret so, but many call a ConfigMap "msp".
  return refs
    .filter((ref, index) => (ref.kind === "Secret" ? found[index] : hasLabels(found[index], labels)))
    .map(describeRef);
}
