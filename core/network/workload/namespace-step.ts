import { FabricError } from "../../error.ts";
import { joined } from "../../remedy.ts";
import type { V1Namespace } from "../../kubernetes/client-node.ts";
import { checkOurs } from "../../kubernetes/apply.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { gone } from "../../kubernetes/conditions.ts";
import { get } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import { networkLabel, otherOrganizations } from "../resources/labels.ts";
import { namespaceOf, networkConfigMap } from "../resources/namespace.ts";
import { appliedStep } from "../../kubernetes/steps/object-steps.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/**
 * A step that makes an organization's namespace, with the network's definition in it. A namespace that is being removed is waited for and
 * made anew, for all objects in it will be removed. Throws `conflict` for a namespace of another network or of somebody else.
 */
export function namespaceStep(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  step: Pick<Step, "id" | "title" | "after">,
): Step {
  const ref = { kind: "Namespace", name: organization.namespace } as const;
  const applied = appliedStep(cluster, {
    ...step,
    objects: [namespaceOf(network, organization), networkConfigMap(network, organization)],
  });
  const look = async (signal: AbortSignal): Promise<"ending" | "there" | "absent"> => {
    const found = await get(cluster, ref, signal);
    if (found?.metadata?.deletionTimestamp !== undefined) return "ending";
    if (!found) return "absent";
    checkOurs(ref, found, otherOrganizations);
    checkNetwork(network, ref.name, found);
    return "there";
  };
  return {
    ...applied,
    async observe(context) {
      const found = await look(context.signal);
      if (found === "ending") {
        const until = ({ signal, progress }: StepContext) => waitFor(cluster, ref, gone, { signal, progress });
        return { is: "waiting", missing: "wait until the old one is gone", until };
      }
      const observation = await applied.observe(context);
      return observation.is === "so" ? observation : { ...observation, isThere: found === "there" };
    },
  };
}

function checkNetwork({ metadata }: FabricNetwork, namespace: string, found: V1Namespace): void {
  const owner = found.metadata?.labels?.[networkLabel];
  if (owner === undefined || owner === metadata.name) return;
  throw new FabricError(
    "conflict",
    `expected Namespace ${namespace} to be of network ${metadata.name}, found one of network ${owner}`,
    { hint: joined([otherOrganizations, ", or ", { setting: "network", to: owner }]) },
  );
}
