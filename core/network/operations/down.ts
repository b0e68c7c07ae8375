import { FabricError } from "../../error.ts";
import { isConflict } from "../../kubernetes/api-error.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { KubernetesObject, V1Namespace } from "../../kubernetes/client-node.ts";
import { gone, type Condition } from "../../kubernetes/conditions.ts";
import { list, refOf, remove } from "../../kubernetes/objects.ts";
import { waitFor } from "../../kubernetes/wait.ts";
import type { Step, StepContext, Waiting } from "../../engine/step.ts";
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
      hint: ["choose one with ", { setting: "network" }, ", for example ", { setting: "network", to: names[0] ?? "" }],
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
 * Each namespace is gone, with all that was in it. A namespace that was made again under its name since it was listed is not deleted. For
 * one that somebody else has taken over since, the step throws `conflict`.
 */
export function downSteps(cluster: Cluster, namespaces: readonly ListedObject[]): readonly Step[] {
  return namespaces.map((listed) => {
    const { uid } = listed;
    const { name } = listed.ref;
    const ref = { kind: "Namespace", name } as const;
    const found = (signal: AbortSignal) => sameAsListed(cluster, listed, signal);
    const ended: Condition<V1Namespace> = (namespace) => gone(namespace?.metadata?.uid === uid ? namespace : undefined);
    const going: Waiting = {
      is: "waiting",
      missing: "it is being removed",
      until: ({ signal, progress }) => waitFor(cluster, ref, ended, { signal, progress }),
    };
    let emptying: Emptying | undefined;
    return {
      id: `${name}/gone`,
      title: `namespace ${name} is gone`,
      after: [],
      removes: true,
      async observe({ signal }) {
        const namespace = await found(signal);
        if (!namespace) return { is: "so" };
        const isEnding = namespace.metadata?.deletionTimestamp !== undefined;
        return isEnding ? going : { is: "differs", change: "ledgers, keys and Pods are deleted" };
      },
      async act({ signal }) {
        // Without the right to delete the namespace, nothing in it is deleted either.
        if (!emptying) await remove(cluster, ref, { uid, dryRun: true, signal });
        emptying ??= newEmptying(cluster, name);
        const ending = await emptying.next(signal);
        if (ending) return ending;
        await remove(cluster, ref, { uid, signal });
        return going;
      },
    };
  });
}

/** Milliseconds after which a namespace is deleted although some of its Pods have not ended yet: Kubernetes goes on ending them. */
const patience = 120_000;

interface Emptying {
  /** Deletes the next objects that need time to end. Undefined when there are none left, or when they are not waited for any more. */
  next(signal: AbortSignal): Promise<Waiting | undefined>;
}

/**
 * Objects that need time to end do so before their namespace is deleted: Pods, then their claims. Kubernetes looks again at a namespace
 * that still has objects only 5 s later, and at one with Pods after half of the time that they may take to end, however soon they end
 * (pkg/controller/namespace/deletion/namespaced_resources_deleter.go). When the user may not delete them, the end of the namespace does.
 */
function newEmptying(cluster: Cluster, namespace: string): Emptying {
  const rest = [["StatefulSet", "Deployment"], ["PersistentVolumeClaim"]] as const;
  let next = 0;
  const limit = AbortSignal.timeout(patience);
  let isOver = false;
  /** Undefined when the work takes too long, or the user may not do it: then nothing more is waited for. */
  const tolerant = async <T>(
    signal: AbortSignal,
    work: (within: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> => {
    try {
      return await work(AbortSignal.any([signal, limit]));
    } catch (error) {
      signal.throwIfAborted();
      const isRefused = error instanceof FabricError && ["forbidden", "not-ready"].includes(error.code);
      if (!limit.aborted && !isConflict(error) && !isRefused) throw error;
      isOver = true;
      return undefined;
    }
  };
  return {
    async next(signal) {
      for (; next < rest.length; next += 1) {
        if (isOver) return undefined;
        const kinds = rest[next] ?? [];
        const objects = await tolerant(signal, (within) => deleteAll(cluster, namespace, kinds, within));
        if (!objects || objects.length === 0) continue;
        return {
          is: "waiting",
          missing: "its workloads have not ended yet",
          until: ({ signal: whole, progress }) =>
            tolerant(whole, (within) => allGone(cluster, objects, { signal: within, progress })),
        };
      }
      return undefined;
    },
  };
}

async function deleteAll(
  cluster: Cluster,
  namespace: string,
  kinds: readonly ("StatefulSet" | "Deployment" | "PersistentVolumeClaim")[],
  signal: AbortSignal,
): Promise<readonly KubernetesObject[]> {
  const found: readonly (readonly KubernetesObject[])[] = await Promise.all(
    kinds.map((kind) => list(cluster, { kind, namespace }, signal)),
  );
  const objects = found.flat();
  await Promise.all(
    // A workload is gone when its Pods are.
    objects.map((object) =>
      remove(cluster, placeOf(object), { uid: object.metadata?.uid, propagation: "Foreground", signal }),
    ),
  );
  return objects;
}

const placeOf = (object: KubernetesObject) => ({ ...refOf(object), namespace: object.metadata?.namespace });

async function allGone(
  cluster: Cluster,
  objects: readonly KubernetesObject[],
  { signal, progress }: StepContext,
): Promise<void> {
  const left = new Set(objects.map(({ metadata }) => metadata?.name ?? ""));
  const tell = () => left.size > 0 && progress(`waits for the end of ${[...left].join(", ")}`);
  tell();
  await Promise.all(
    objects.map(async (object) => {
      await waitFor(cluster, placeOf(object), gone, { signal });
      left.delete(object.metadata?.name ?? "");
      tell();
    }),
  );
}
