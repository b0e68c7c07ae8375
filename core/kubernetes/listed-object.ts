import { FabricError } from "../error.ts";
import type { Cluster } from "./cluster.ts";
import type { KubernetesObject } from "./client-node.ts";
import { describeRef, get, type ObjectRef } from "./objects.ts";
import { hasLabels } from "./ownership.ts";

/** An object to delete, as it was when it was listed. A later object of the same name is not meant, nor this one once it is not ours. */
export interface ListedObject {
  readonly ref: ObjectRef;
  readonly uid: string;
  /** The labels that make it ours. */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The listed object as it is now; undefined when it is gone, even if there is another one of its name.
 * Throws `conflict` when one of the labels has changed: somebody else has taken the object over.
 */
export async function sameAsListed(
  cluster: Cluster,
  { ref, uid, labels }: ListedObject,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  const object: KubernetesObject | undefined = await get(cluster, ref, signal);
  if (object?.metadata?.uid !== uid) return undefined;
  const lost = Object.entries(labels).find(([label, value]) => !hasLabels(object, { [label]: value }));
  if (lost) throw madeTheirs(ref, lost, object.metadata.labels?.[lost[0]]);
  return object;
}

function madeTheirs(ref: ObjectRef, [label, value]: readonly [string, string], now: string | undefined): FabricError {
  const at = ref.namespace === undefined ? [] : ["-n", ref.namespace];
  const look = { kubectl: ["get", ref.kind.toLowerCase(), ref.name, ...at, "--show-labels"] };
  return new FabricError(
    "conflict",
    `expected ${describeRef(ref)} to have the label ${label}=${value}, as before, found ${now === undefined ? "none" : `${label}=${now}`}`,
    { hint: ["it was not deleted; whose it is by now: ", look] },
  );
}
