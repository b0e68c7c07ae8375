import { FabricError } from "../../error.ts";
import { isConflict } from "../../kubernetes/api-error.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject, V1Namespace } from "../../kubernetes/client-node.ts";
import { gone, type Condition } from "../../kubernetes/conditions.ts";
import { list, refOf, remove } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { Step, StepContext } from "../../engine/step.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import { networkLabel } from "../resources/labels.ts";
import { sameAsListed, type ListedObject } from "../../kubernetes/listed-object.ts";

export interface NetworkNamespaces {
  readonly name: string;
  readonly namespaces: readonly ListedObject[];
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
  const labels = { ...managedBy, [networkLabel]: chosen };
  const namespaces = all
    .filter(({ metadata }) => networkOf(metadata?.labels) === chosen)
    .map((namespace) => ({ ref: refOf(namespace), uid: namespace.metadata?.uid ?? "", labels }))
    .sort((left, right) => left.ref.name.localeCompare(right.ref.name));
  return { name: chosen, namespaces };
}

/**
 * Each namespace is gone, with all that was in it. What was made anew under its name since it was found is not ours to delete.
 * Nor is one that somebody has made theirs since: its step throws `conflict`.
 */
export function downSteps(cluster: Cluster, namespaces: readonly ListedObject[]): readonly Step[] {
  return namespaces.map((listed) => {
    const { uid } = listed;
    const { name } = listed.ref;
    const ref = { kind: "Namespace", name } as const;
    const found = (signal: AbortSignal) => sameAsListed(cluster, listed, signal);
    const ended: Condition<V1Namespace> = (namespace) => gone(namespace?.metadata?.uid === uid ? namespace : undefined);
    return {
      id: `${name}/gone`,
      title: `namespace ${name} is gone`,
      after: [],
      async observe({ signal }) {
        return (await found(signal)) ? { is: "differs", change: "ledgers, keys and Pods are deleted" } : { is: "so" };
      },
      async act({ signal, progress }) {
        const namespace = await found(signal);
        const isEnding = namespace?.metadata?.deletionTimestamp !== undefined;
        if (namespace && !isEnding) {
          // Who may not delete it ends nothing in it either.
          await remove(cluster, ref, { uid, dryRun: true, signal });
          await endWorkloads(cluster, name, { signal, progress });
          // That has taken its time.
          if (await found(signal)) await remove(cluster, ref, { uid, signal });
        }
        await waitFor(cluster, ref, ended, { signal, progress });
      },
    };
  });
}

/** Milliseconds after which a namespace is deleted although Pods of it still end: Kubernetes goes on ending them. */
const patience = 120_000;

/**
 * What needs time to end does so before its namespace is deleted, Pods and then their claims: a namespace that still has any is looked at
 * again only 5 s later, and with Pods after half of the time that they may take to end, however soon they have
 * (pkg/controller/namespace/deletion/namespaced_resources_deleter.go). Who may not do this has it done by the namespace's own end.
 */
async function endWorkloads(cluster: Cluster, namespace: string, { signal, progress }: StepContext): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  try {
    for (const kinds of [["StatefulSet", "Deployment"], ["PersistentVolumeClaim"]] as const) {
      const found = await Promise.all(kinds.map((kind) => list(cluster, { kind, namespace }, limit)));
      await removeAll(cluster, found.flat(), { signal: limit, progress });
    }
  } catch (error) {
    signal.throwIfAborted();
    const isOver = limit.aborted || isConflict(error);
    if (!isOver && !(error instanceof FabricError && ["forbidden", "not-ready"].includes(error.code))) throw error;
  }
}

async function removeAll(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
  { signal, progress }: StepContext,
): Promise<void> {
  const left = new Set(objects.map(({ metadata }) => metadata?.name ?? ""));
  const tell = () => left.size > 0 && progress(`waits for the end of ${[...left].join(", ")}`);
  tell();
  const ended = objects.map(async (object) => {
    const ref = { ...refOf(object), namespace: object.metadata?.namespace };
    // A workload is gone when its Pods are.
    await remove(cluster, ref, { uid: object.metadata?.uid, propagation: "Foreground", signal });
    await waitFor(cluster, ref, gone, { signal });
    left.delete(ref.name);
    tell();
  });
  const failed = (await Promise.allSettled(ended)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}
