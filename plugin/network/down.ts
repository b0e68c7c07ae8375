import { FabricError } from "../error.ts";
import type { Cluster } from "../kube/cluster.ts";
import { gone } from "../kube/conditions.ts";
import { get, list, remove } from "../kube/objects.ts";
import { waitFor } from "../kube/wait.ts";
import type { Step } from "../steps/step.ts";
import { managedBy, networkLabel } from "./labels.ts";

export interface NetworkNamespaces {
  readonly name: string;
  readonly namespaces: readonly string[];
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
    .flatMap(({ metadata }) => metadata?.name ?? [])
    .sort();
  return { name: chosen, namespaces };
}

/** Each namespace is gone, with all that was in it. */
export function downSteps(cluster: Cluster, namespaces: readonly string[]): readonly Step[] {
  return namespaces.map((name) => {
    const ref = { kind: "Namespace", name } as const;
    return {
      id: `${name}/gone`,
      title: `namespace ${name} is gone`,
      after: [],
      async observe({ signal }) {
        return (await get(cluster, ref, signal))
          ? { done: false, change: "ledgers, keys and Pods are deleted" }
          : { done: true };
      },
      async act({ signal, progress }) {
        const namespace = await get(cluster, ref, signal);
        // What was made anew under this name since is not ours to delete.
        if (namespace) await remove(cluster, ref, { uid: namespace.metadata?.uid, signal });
        await waitFor(cluster, ref, gone, { signal, progress });
      },
    };
  });
}
