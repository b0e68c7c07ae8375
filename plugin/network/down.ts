import { FabricError } from "../error.ts";
import type { Cluster } from "../kube/cluster.ts";
import type { V1Namespace } from "../kube/client-node.ts";
import { gone, type Condition } from "../kube/conditions.ts";
import { get, list, remove } from "../kube/objects.ts";
import { waitFor } from "../kube/wait.ts";
import type { Step } from "../steps/step.ts";
import { managedBy, networkLabel } from "./labels.ts";

/** One namespace, and no other that may have its name later. */
export interface FoundNamespace {
  readonly name: string;
  readonly uid: string;
}

export interface NetworkNamespaces {
  readonly name: string;
  readonly namespaces: readonly FoundNamespace[];
}

/**
 * The namespaces of a network, by their labels: a network of which only half was made is found, too.
 * Throws `usage` when there are several networks and none is named.
 */
export async function networkNamespaces(
  cluster: Cluster,
  name: string | undefined,
  signal: AbortSignal,
): Promise<NetworkNamespaces> {
  const all = await list(cluster, { kind: "Namespace", labels: managedBy }, signal);
  const networkOf = (labels: Record<string, string> | undefined) => labels?.[networkLabel];
  const names = [...new Set(all.flatMap(({ metadata }) => networkOf(metadata?.labels) ?? []))].sort();
  if (name === undefined && names.length > 1) {
    throw new FabricError("usage", `expected one network, found ${names.join(", ")}`, {
      hint: `choose one with --network, for example --network ${names[0]}`,
    });
  }
  const chosen = name ?? names[0] ?? "fabric";
  const namespaces = all
    .filter(({ metadata }) => networkOf(metadata?.labels) === chosen)
    .map(({ metadata }) => ({ name: metadata?.name ?? "", uid: metadata?.uid ?? "" }))
    .sort((left, right) => left.name.localeCompare(right.name));
  return { name: chosen, namespaces };
}

/** Each namespace is gone, with all that was in it. What was made anew under its name since it was found is not ours to delete. */
export function downSteps(cluster: Cluster, namespaces: readonly FoundNamespace[]): readonly Step[] {
  return namespaces.map(({ name, uid }) => {
    const ref = { kind: "Namespace", name } as const;
    const found = async (signal: AbortSignal) => {
      const namespace = await get(cluster, ref, signal);
      return namespace?.metadata?.uid === uid ? namespace : undefined;
    };
    const ended: Condition<V1Namespace> = (namespace) => gone(namespace?.metadata?.uid === uid ? namespace : undefined);
    return {
      id: `${name}/gone`,
      title: `namespace ${name} is gone`,
      after: [],
      async observe({ signal }) {
        return (await found(signal)) ? { done: false, change: "ledgers, keys and Pods are deleted" } : { done: true };
      },
      async act({ signal, progress }) {
        const namespace = await found(signal);
        const isEnding = namespace?.metadata?.deletionTimestamp !== undefined;
        if (namespace && !isEnding) await remove(cluster, ref, { uid, signal });
        await waitFor(cluster, ref, ended, { signal, progress });
      },
    };
  });
}
