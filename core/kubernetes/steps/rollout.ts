import type { Cluster } from "../cluster.ts";
import type { V1Pod, V1StatefulSet } from "../client-node.ts";
import { podReady, rolledOut, type Condition } from "../conditions.ts";
import { list, remove } from "../objects.ts";
import { waitFor } from "../wait.ts";
import type { StepContext } from "../../engine/step.ts";

export interface StatefulSetRef {
  readonly kind: "StatefulSet";
  readonly namespace: string;
  readonly name: string;
}

/**
 * A StatefulSet's Pods run what was applied last and are ready. A Pod of an old revision that is not ready is replaced: Kubernetes
 * would wait for it to become ready first, and so for ever (kubernetes#67250).
 */
export async function rollOut(cluster: Cluster, ref: StatefulSetRef, { signal, progress }: StepContext): Promise<void> {
  const set = await waitFor(cluster, ref, seenByController, { signal, progress });
  if (set) await replaceStuckPods(cluster, set, { signal, progress });
  await waitFor(cluster, ref, rolledOut, { signal, progress });
}

const seenByController: Condition<V1StatefulSet> = (set) =>
  set !== undefined && (set.status?.observedGeneration ?? 0) >= (set.metadata?.generation ?? 0)
    ? { so: true }
    : { so: false, progress: "waiting for its controller" };

async function replaceStuckPods(
  cluster: Cluster,
  { metadata, spec, status }: V1StatefulSet,
  { signal, progress }: StepContext,
): Promise<void> {
  const revision = status?.updateRevision;
  const labels = spec?.selector.matchLabels;
  if (revision === undefined || labels === undefined) return;
  const pods = await list(cluster, { kind: "Pod", namespace: metadata?.namespace, labels }, signal);
  for (const pod of pods.filter((each) => isStuck(each, revision))) {
    progress("replacing a Pod of before that is not ready");
    const ref = { kind: "Pod", namespace: metadata?.namespace, name: pod.metadata?.name ?? "" } as const;
    await remove(cluster, ref, { uid: pod.metadata?.uid, signal });
  }
}

/** Its StatefulSet has a newer template, and waits for it to become ready. Pure. */
function isStuck(pod: V1Pod, updateRevision: string): boolean {
  const revision = pod.metadata?.labels?.["controller-revision-hash"];
  const isEnding = pod.metadata?.deletionTimestamp !== undefined;
  return revision !== undefined && revision !== updateRevision && !isEnding && podReady(pod).so !== true;
}
