import { FabricError } from "../../error.ts";
import { ifAllowed } from "../../kubernetes/allowed.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { list } from "../../kubernetes/objects.ts";
import type { Step } from "../../engine/step.ts";
import { hasVolume, isClaim } from "./claims.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import { nodeObjects } from "./node-steps.ts";
import { nodesOf } from "../resources/nodes.ts";
import { organizations, type FabricNetwork, type Organization } from "../resources/spec.ts";

/**
 * A check that the cluster has a storage class, before the definition is written. Throws `usage` with the existing classes.
 * It is left out when all claims have volumes of this class already, or the user may not list storage classes.
 */
export function storageClassStep(cluster: Cluster, network: FabricNetwork, className: string, after: Step): Step {
  return {
    id: "storage-class",
    title: `the cluster has the storage class ${className}`,
    after: [after],
    isCheck: true,
    async observe({ signal }) {
      const looks = organizations(network).map((one) => isNeeded(cluster, network, one, className, signal));
      if ((await Promise.all(looks)).includes(true)) await checkClass(cluster, className, signal);
      return { is: "so" };
    },
  };
}

/** Whether a claim of the organization does not have a volume of this class yet. */
async function isNeeded(
  cluster: Cluster,
  network: FabricNetwork,
  organization: Organization,
  className: string,
  signal: AbortSignal,
): Promise<boolean> {
  const selection = { kind: "PersistentVolumeClaim", namespace: organization.namespace, labels: managedBy } as const;
  const found = (await ifAllowed(list(cluster, selection, signal))) ?? [];
  const served = found.filter((claim) => hasVolume(claim) && claim.spec?.storageClassName === className);
  const names = new Set(served.map(({ metadata }) => metadata?.name));
  const wanted = nodesOf(organization).flatMap((node) => nodeObjects(network, node).filter(isClaim));
  return wanted.some(({ metadata }) => !names.has(metadata?.name));
}

async function checkClass(cluster: Cluster, className: string, signal: AbortSignal): Promise<void> {
  const classes = await ifAllowed(list(cluster, { kind: "StorageClass" }, signal));
  const names = classes?.flatMap(({ metadata }) => metadata?.name ?? []);
  if (names === undefined || names.includes(className)) return;
  const found = names.join(", ") || "none";
  const [first] = names;
  throw new FabricError("usage", `expected the cluster to have the StorageClass ${className}, found ${found}`, {
    hint: [
      "nothing was changed; ",
      ...(first === undefined
        ? [{ kubectl: ["get", "storageclass"] }, " shows them once the cluster's administrator has made one"]
        : [{ operation: "init", with: { storageClass: first } } as const, " (in a file: spec.storage.className)"]),
    ],
  });
}
