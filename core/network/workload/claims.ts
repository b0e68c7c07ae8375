import { ApiError } from "../../kubernetes/api-error.ts";
import { applyDryRun, checkOurs, type DryRun } from "../../kubernetes/apply.ts";
import type { KubernetesObject, V1PersistentVolumeClaim } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { gone } from "../../kubernetes/conditions.ts";
import { describeRef, get, remove } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { StepContext, Waiting } from "../../engine/step.ts";
import { otherOrganizations } from "../resources/labels.ts";

export const isClaim = (object: KubernetesObject): object is V1PersistentVolumeClaim =>
  object.kind === "PersistentVolumeClaim";

/** Whether a claim has a volume, and so may hold data. */
export const hasVolume = (claim: V1PersistentVolumeClaim | undefined): boolean => Boolean(claim?.spec?.volumeName);

/** The changes that applying a claim would make. */
export interface ClaimLook {
  readonly change: DryRun<unknown>["change"];
  readonly fields: readonly string[];
  /** The claim to apply. */
  readonly object: V1PersistentVolumeClaim;
  /** The existing claim to remove before: it has no volume yet, and cannot be changed. */
  readonly obsolete?: V1PersistentVolumeClaim;
}

/**
 * Compares a claim with the wanted one. A claim's storage class cannot be changed: a claim with a volume keeps its class, a claim
 * without one is made anew. Throws `conflict` for a claim of somebody else.
 */
export async function lookAtClaim(
  cluster: Cluster,
  wanted: V1PersistentVolumeClaim,
  signal: AbortSignal,
): Promise<ClaimLook> {
  const found = await get(cluster, claimRef(wanted), signal);
  if (found) checkOurs(claimRef(wanted), found, otherOrganizations);
  const object = keepingClass(wanted, found);
  try {
    const { change, fields } = await applyDryRun(cluster, object, signal);
    const isEnding = found?.metadata?.deletionTimestamp !== undefined && !hasVolume(found);
    return isEnding ? { change: "create", fields, object, obsolete: found } : { change, fields, object };
  } catch (error) {
    if (!found || hasVolume(found) || !isImmutable(error)) throw error;
    return { change: "create", fields: [], object, obsolete: found };
  }
}

/** Has a claim removed that waits for a volume, unless it has got one meanwhile: throws `conflict` then. It is gone a little later. */
export async function removeUnbound(
  cluster: Cluster,
  claim: V1PersistentVolumeClaim,
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = claim.metadata ?? {};
  await remove(cluster, claimRef(claim), { uid, resourceVersion, signal });
}

/** A claim that is being removed. */
export function claimGone(cluster: Cluster, claim: V1PersistentVolumeClaim): Waiting {
  const ref = claimRef(claim);
  const until = ({ signal, progress }: StepContext) => waitFor(cluster, ref, gone, { signal, progress });
  return { is: "waiting", missing: `${describeRef(ref)} is being removed`, until };
}

const claimRef = ({ metadata }: V1PersistentVolumeClaim) =>
  ({ kind: "PersistentVolumeClaim", namespace: metadata?.namespace, name: metadata?.name ?? "" }) as const;

function keepingClass(
  wanted: V1PersistentVolumeClaim,
  found: V1PersistentVolumeClaim | undefined,
): V1PersistentVolumeClaim {
  if (!hasVolume(found)) return wanted;
  const { metadata = {} } = wanted;
  const { storageClassName: _wanted, ...spec } = wanted.spec ?? {};
  const kept = found?.spec?.storageClassName;
  const claimSpec = { ...spec, ...(kept === undefined ? {} : { storageClassName: kept }) };
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: claimSpec };
}

/** ValidatePersistentVolumeClaimUpdate (Kubernetes, pkg/apis/core/validation/validation.go). */
function isImmutable(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.httpStatus !== 422) return false;
  const causes = error.status.details?.causes ?? [];
  return causes.some(({ field, reason }) => field === "spec" && reason === "FieldValueForbidden");
}
