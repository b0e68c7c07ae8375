import { FabricError } from "../error.ts";
import { anySignal } from "./abort.ts";
import type { CoreV1Event, V1LabelSelector, V1Pod } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import type { Condition } from "./conditions.ts";
import { explainController, explainPod, type PodProblem } from "./explain.ts";
import { describeRef, get, list, type ObjectRef, type Selection } from "./objects.ts";
import type { ObjectOf } from "./resources.ts";
import { watch } from "./watch.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; 5 minutes unless told. */
  readonly timeout?: number | undefined;
  /** Told whenever what is being waited for changes. */
  readonly progress?: ((text: string) => void) | undefined;
}

const TIMEOUT = 5 * 60_000;

/**
 * Waits until an object is as it should be, by watching it; gives the object then (undefined for `gone`).
 * Throws `timeout`, or `not-ready` as soon as it is clear that it will never be so; both tell why the Pods behind it do not run.
 */
export async function waitFor<K extends string>(
  cluster: Cluster,
  ref: ObjectRef<K>,
  condition: Condition<ObjectOf<K>>,
  { signal, timeout = TIMEOUT, progress = () => {} }: WaitOptions = {},
): Promise<ObjectOf<K> | undefined> {
  const namespace = ref.namespace ?? cluster.namespace;
  const limit = AbortSignal.timeout(timeout);
  const done = new AbortController();
  const within = anySignal(signal, limit, done.signal);
  const selection: Selection<K> = { ...ref, namespace, fields: `metadata.name=${ref.name}` };
  let told = "";
  try {
    for await (const state of watch(cluster, selection, within)) {
      const [object] = state.values();
      const verdict = condition(object);
      if (verdict.so === true) return object;
      if (verdict.so === "never")
        throw new FabricError("not-ready", `${describeRef({ ...ref, namespace })}: ${verdict.because}`);
      if (verdict.progress !== told) progress((told = verdict.progress));
    }
    throw new FabricError("internal", "a watch ended by itself");
  } catch (error) {
    if (!limit.aborted || signal?.aborted) throw error;
    throw await overdue(cluster, { ...ref, namespace }, told, timeout, signal);
  } finally {
    done.abort();
  }
}

async function overdue(
  cluster: Cluster,
  ref: ObjectRef,
  progress: string,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<FabricError> {
  const problem = await explain(cluster, ref, signal).catch(() => undefined);
  const what = problem?.text ?? progress;
  return new FabricError(
    "timeout",
    `${describeRef(ref)} was not ready after ${Math.round(timeout / 1000)} s: ${what}`,
    {
      hint: problem?.hint ?? `kubectl describe ${ref.kind.toLowerCase()} ${ref.name} -n ${ref.namespace ?? "default"}`,
    },
  );
}

/** Why a Pod, or the Pods of a Deployment, StatefulSet, DaemonSet or Job, do not run; undefined when nothing is wrong that we know of. */
export async function explain(cluster: Cluster, ref: ObjectRef, signal?: AbortSignal): Promise<PodProblem | undefined> {
  const namespace = ref.namespace ?? cluster.namespace;
  const [object, events] = await Promise.all([
    get(cluster, ref, signal),
    list(cluster, { kind: "Event", namespace }, signal),
  ]);
  if (!object) return undefined;
  const pods = ref.kind === "Pod" ? [object as V1Pod] : await podsOf(cluster, object, namespace, signal);
  for (const pod of pods) {
    const claims = await claimsOf(cluster, pod, namespace, signal);
    const problem = explainPod(pod, events, claims);
    if (problem)
      return pods.length > 1 || ref.kind !== "Pod"
        ? { ...problem, text: `Pod ${pod.metadata?.name}: ${problem.text}` }
        : problem;
  }
  return explainController(ofController(events, ref));
}

async function podsOf(
  cluster: Cluster,
  object: object,
  namespace: string,
  signal: AbortSignal | undefined,
): Promise<readonly V1Pod[]> {
  const selector = (object as { readonly spec?: { readonly selector?: V1LabelSelector } }).spec?.selector?.matchLabels;
  return selector ? list(cluster, { kind: "Pod", namespace, labels: selector }, signal) : [];
}

async function claimsOf(cluster: Cluster, pod: V1Pod, namespace: string, signal: AbortSignal | undefined) {
  const names = (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? []);
  const claims = await Promise.all(
    names.map((name) => get(cluster, { kind: "PersistentVolumeClaim", namespace, name }, signal)),
  );
  return claims.filter((claim) => claim !== undefined);
}

/** Events of the object and of what it owns: a Deployment's ReplicaSets are named after it. */
function ofController(events: readonly CoreV1Event[], { kind, name }: ObjectRef): readonly CoreV1Event[] {
  return events.filter(
    ({ involvedObject: about }) =>
      (about.kind === kind && about.name === name) ||
      (kind === "Deployment" && about.kind === "ReplicaSet" && about.name?.startsWith(`${name}-`)),
  );
}
