import type { Cluster } from "../cluster.ts";
import type { V1Pod, V1StatefulSet } from "../client-node.ts";
import { podReady, rolledOut, type Condition } from "../conditions.ts";
import { get, list, remove } from "../objects.ts";
import { waitFor } from "../wait.ts";
import type { ActingStep, Step } from "../../engine/step.ts";

export interface StatefulSetRef {
  readonly kind: "StatefulSet";
  readonly namespace: string;
  readonly name: string;
}

/**
 * A StatefulSet's Pods run what was applied last and are ready. A Pod of an old revision that is not ready is replaced: Kubernetes
 * would wait for it to become ready first, and so for ever (kubernetes#67250).
 */
export function rolledOutStep(
  cluster: Cluster,
  { ref, ...step }: Pick<Step, "id" | "title" | "after"> & { readonly ref: StatefulSetRef },
): ActingStep {
  return {
    ...step,
    async observe({ signal }) {
      const set = await get(cluster, ref, signal);
      if (rolledOut(set).so === true) return { is: "so" };
      if (seenByController(set).so !== true)
        return { is: "waiting", missing, until: (context) => waitFor(cluster, ref, seenByController, context) };
      if ((await stuckPods(cluster, set, signal)).length > 0)
        return { is: "differs", change: "replaces a Pod of before that is not ready" };
      return { is: "waiting", missing, until: (context) => waitFor(cluster, ref, rolledOut, context) };
    },
    async act({ signal, progress }) {
      progress("replacing a Pod of before that is not ready");
      const set = await get(cluster, ref, signal);
      for (const pod of await stuckPods(cluster, set, signal)) {
        const of = { kind: "Pod", namespace: ref.namespace, name: pod.metadata?.name ?? "" } as const;
        await remove(cluster, of, { uid: pod.metadata?.uid, signal });
      }
      return { is: "waiting", missing, until: (context) => waitFor(cluster, ref, rolledOut, context) };
    },
  };
}

const missing = "wait for its Pod";

const seenByController: Condition<V1StatefulSet> = (set) =>
  set !== undefined && (set.status?.observedGeneration ?? 0) >= (set.metadata?.generation ?? 0)
    ? { so: true }
    : { so: false, progress: "waiting for its controller" };

async function stuckPods(
  cluster: Cluster,
  set: V1StatefulSet | undefined,
  signal: AbortSignal,
): Promise<readonly V1Pod[]> {
  const revision = set?.status?.updateRevision;
  const labels = set?.spec?.selector.matchLabels;
  if (revision === undefined || labels === undefined) return [];
  const pods = await list(cluster, { kind: "Pod", namespace: set?.metadata?.namespace, labels }, signal);
  return pods.filter((pod) => isStuck(pod, revision));
}

/** Whether a Pod of a former revision is not ready: its StatefulSet waits for that before it replaces the Pod. Pure. */
function isStuck(pod: V1Pod, updateRevision: string): boolean {
  const revision = pod.metadata?.labels?.["controller-revision-hash"];
  const isEnding = pod.metadata?.deletionTimestamp !== undefined;
  return revision !== undefined && revision !== updateRevision && !isEnding && podReady(pod).so !== true;
}
