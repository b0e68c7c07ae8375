import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { FabricError } from "../error.ts";
import { anySignal } from "./abort.ts";
import { ifAllowed } from "./allowed.ts";
import type { CoreV1Event, V1LabelSelector, V1Pod } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import type { Condition } from "./conditions.ts";
import {
  explainController,
  explainPod,
  hasFailedAnew,
  isBroken,
  restartsOf,
  timeOf,
  type PodProblem,
} from "./explain.ts";
import { logLines } from "./logs.ts";
import { describeRef, get, list, type ObjectRef, type Selection } from "./objects.ts";
import { isOutwaited } from "./outage.ts";
import type { ObjectOf } from "./resources.ts";
import { watch } from "./watch.ts";

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; unless given, only the signal ends the wait. */
  readonly timeout?: number | undefined;
  /** Called with the state of the object or of its Pods, whenever the text changes. */
  readonly progress?: ((text: string) => void) | undefined;
  /**
   * For a workload whose Pods could run now. The wait ends with an error when an image cannot be pulled, or when a container in
   * CrashLoopBackOff, restarted three times or more, ends again during the wait.
   */
  readonly impatient?: boolean | undefined;
  /** Milliseconds in which a controller may replace a Pod that has failed; 5 seconds unless given. */
  readonly patience?: number | undefined;
}

interface Patience {
  readonly impatient: boolean;
  readonly patience: number;
}

/**
 * Watches an object until the condition holds; returns the object then (undefined for `gone`).
 * A workload's Pods are watched, too: `progress` gets the reason why they do not run.
 * Throws `timeout`, or `not-ready` as soon as it is clear that the condition will never hold; both name the reason.
 */
export async function waitFor<K extends string>(
  cluster: Cluster,
  ref: ObjectRef<K>,
  condition: Condition<ObjectOf<K>>,
  { signal, timeout, progress = () => {}, impatient = false, patience = 5000 }: WaitOptions = {},
): Promise<ObjectOf<K> | undefined> {
  const named = { ...ref, namespace: ref.namespace ?? cluster.namespace };
  const limit = timeout === undefined ? undefined : AbortSignal.timeout(timeout);
  const done = new AbortController();
  const within = anySignal(signal, limit, done.signal);
  let told = "";
  const tell = (text: string) => {
    if (text !== told) progress((told = text));
  };
  try {
    return await Promise.race([
      settled(cluster, named, condition, within, tell),
      // Never resolves: it only throws.
      hopeless(cluster, named, within, tell, { impatient, patience }),
    ]);
  } catch (error) {
    const late = isOverdue(signal, limit);
    // When the API server was away until the deadline, it cannot explain the object's state.
    if (!late || isOutwaited(error)) throw error;
    const after = late === "limit" && timeout !== undefined ? ` after ${Math.round(timeout / 1000)} s` : "";
    throw await overdue(cluster, named, told, after);
  } finally {
    done.abort();
  }
}

async function settled<K extends string>(
  cluster: Cluster,
  ref: ObjectRef<K>,
  condition: Condition<ObjectOf<K>>,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<ObjectOf<K> | undefined> {
  const selection: Selection<K> = { ...ref, fields: `metadata.name=${ref.name}` };
  for await (const state of watch(cluster, selection, signal)) {
    const [object] = state.values();
    const verdict = condition(object);
    if (verdict.so === true) return object;
    if (verdict.so === "never") throw new FabricError("not-ready", `${describeRef(ref)}: ${verdict.because}`);
    tell(verdict.progress);
  }
  throw new FabricError("internal", "a watch ended by itself");
}

/** Watches a workload's Pods and the events of their creation. Throws `not-ready` when a Pod will never run. */
async function hopeless(
  cluster: Cluster,
  ref: ObjectRef,
  signal: AbortSignal,
  tell: (text: string) => void,
  patience: Patience,
): Promise<never> {
  // A user who may not read the workload, its Pods or the events waits without what these say.
  const labels = workloads.has(ref.kind) ? await ifAllowed(selectorOf(cluster, ref, signal)) : undefined;
  if (labels === undefined) return never();
  return Promise.race([
    ifAllowed(hopelessPods(cluster, ref, labels, signal, tell, patience), never()),
    ifAllowed(refusedPods(cluster, ref, signal, tell), never()),
  ]);
}

function never(): Promise<never> {
  return new Promise<never>(() => {});
}

const workloads: ReadonlySet<string> = new Set(["Deployment", "StatefulSet", "DaemonSet", "Job"]);

async function hopelessPods(
  cluster: Cluster,
  { namespace, ...ref }: ObjectRef,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
  tell: (text: string) => void,
  { impatient, patience }: Patience,
): Promise<never> {
  /** Restarts of each Pod when it was first seen. */
  const before = new Map<string | undefined, number>();
  for await (const pods of watch(cluster, { kind: "Pod", namespace, labels }, signal)) {
    for (const pod of pods.values()) {
      const problem = problemOf(pod);
      const restarts = before.get(pod.metadata?.uid) ?? restartsOf(pod);
      before.set(pod.metadata?.uid, restarts);
      if (!problem) continue;
      tell(problem.text);
      const failing = impatient && hasFailedAnew(pod, restarts);
      // A Job makes another Pod when one has failed.
      if (!(problem.final || failing) || ref.kind === "Job") continue;
      const still = await later(cluster, pod, patience, signal);
      if (!still) continue;
      const now = problemOf(still);
      if (now?.final) throw new FabricError("not-ready", now.text, { hint: now.hint });
      if (!failing || !now || !isBroken(still) || (await isSuperseded(cluster, still, labels, signal))) continue;
      // The problem as it was at the failure: only then the kubelet names the reason of a failed pull.
      const said = await lastLines(cluster, namespace, { ...problem, pod: pod.metadata?.name }, signal).catch(() => []);
      const text = [problem.text, ...said.map((line) => `  | ${line}`)].join("\n");
      throw new FabricError("not-ready", text, { hint: problem.hint });
    }
  }
  throw new FabricError("internal", "a watch ended by itself");
}

/** Whether a Deployment has made a later Pod of another template: the broken Pod stays until the later one is ready. */
async function isSuperseded(
  cluster: Cluster,
  pod: V1Pod,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<boolean> {
  const all = await list(cluster, { kind: "Pod", namespace: pod.metadata?.namespace, labels }, signal);
  const template = (one: V1Pod) => one.metadata?.labels?.["pod-template-hash"];
  const made = (one: V1Pod) => one.metadata?.creationTimestamp?.getTime() ?? 0;
  return all.some((other) => template(other) !== template(pod) && made(other) >= made(pod));
}

function problemOf(pod: V1Pod): PodProblem | undefined {
  const problem = pod.metadata?.deletionTimestamp ? undefined : explainPod(pod);
  return problem && { ...problem, text: `Pod ${pod.metadata?.name}: ${problem.text}` };
}

/** The same Pod after a while: one that its controller is about to replace must not end a wait. */
async function later(
  cluster: Cluster,
  { metadata }: V1Pod,
  patience: number,
  signal: AbortSignal,
): Promise<V1Pod | undefined> {
  const ref = { kind: "Pod", namespace: metadata?.namespace, name: metadata?.name ?? "" } as const;
  await sleep(patience, undefined, { signal });
  const pod = await get(cluster, ref, signal);
  return pod?.metadata?.uid === metadata?.uid ? pod : undefined;
}

async function refusedPods(
  cluster: Cluster,
  ref: ObjectRef,
  signal: AbortSignal,
  tell: (text: string) => void,
): Promise<never> {
  // Events of an earlier attempt under the same name would only mislead.
  const since = Date.now() - 60_000;
  const selection = { kind: "Event", namespace: ref.namespace, fields: "reason=FailedCreate" } as const;
  for await (const events of watch(cluster, selection, signal)) {
    const fresh = [...events.values()].filter((event) => timeOf(event) >= since);
    const problem = explainController(ofController(fresh, ref));
    if (problem) tell(problem.text);
  }
  throw new FabricError("internal", "a watch ended by itself");
}

async function selectorOf(
  cluster: Cluster,
  ref: ObjectRef,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>> | undefined> {
  const workload = await get(cluster, ref, signal);
  return workload && matchLabels(workload);
}

/** Which deadline has passed: this wait's or the command's. Undefined also for Ctrl-C, which needs no explanation. */
function isOverdue(signal: AbortSignal | undefined, limit: AbortSignal | undefined): "limit" | "command" | undefined {
  const reason: unknown = signal?.reason;
  if (signal?.aborted) return reason instanceof FabricError && reason.code === "timeout" ? "command" : undefined;
  return limit?.aborted ? "limit" : undefined;
}

/** The time for finding the reason after a timeout. The signal of the wait is aborted already. */
const explanation = 10_000; // milliseconds

async function overdue(cluster: Cluster, ref: ObjectRef, progress: string, after: string): Promise<FabricError> {
  const signal = AbortSignal.timeout(explanation);
  const problem = await explain(cluster, ref, signal).catch(() => undefined);
  const said = problem ? await lastLines(cluster, ref.namespace, problem, signal).catch(() => []) : [];
  const what = [problem?.text ?? progress, ...said.map((line) => `  | ${line}`)].join("\n");
  return new FabricError("timeout", `${describeRef(ref)} was not ready${after}: ${what}`, {
    hint: problem?.hint ?? {
      kubectl: ["describe", ref.kind.toLowerCase(), ref.name, "-n", ref.namespace ?? "default"],
    },
  });
}

const tailLines = 10;

/** The last log lines of a container that has ended. */
async function lastLines(
  cluster: Cluster,
  namespace: string | undefined,
  { pod, log }: ExplainedProblem,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!log || namespace === undefined || pod === undefined) return [];
  const lines: string[] = [];
  for await (const line of logLines(cluster, { namespace, pod, ...log, tailLines }, signal)) {
    lines.push(stripVTControlCharacters(line));
  }
  return lines;
}

/** A problem and the name of its Pod, if it has one. */
interface ExplainedProblem extends PodProblem {
  readonly pod?: string | undefined;
}

/** Why a Pod, or the Pods of a Deployment, StatefulSet, DaemonSet or Job, do not run; undefined when nothing is wrong that we know of. */
export async function explain(
  cluster: Cluster,
  ref: ObjectRef,
  signal?: AbortSignal,
): Promise<ExplainedProblem | undefined> {
  const namespace = ref.namespace ?? cluster.namespace;
  const [object, events] = await Promise.all([
    get(cluster, ref, signal),
    ifAllowed(list(cluster, { kind: "Event", namespace }, signal), []),
  ]);
  if (!object) return undefined;
  const pods = ref.kind === "Pod" ? [object as V1Pod] : await podsOf(cluster, object, namespace, signal);
  for (const pod of pods) {
    const claims = await claimsOf(cluster, pod, namespace, signal);
    const problem = explainPod(pod, events, claims);
    if (!problem) continue;
    const name = pod.metadata?.name;
    return { ...problem, pod: name, text: ref.kind === "Pod" ? problem.text : `Pod ${name}: ${problem.text}` };
  }
  return explainController(ofController(events, ref));
}

async function podsOf(
  cluster: Cluster,
  object: object,
  namespace: string,
  signal: AbortSignal | undefined,
): Promise<readonly V1Pod[]> {
  const labels = matchLabels(object);
  return labels ? list(cluster, { kind: "Pod", namespace, labels }, signal) : [];
}

function matchLabels(object: object): Readonly<Record<string, string>> | undefined {
  return (object as { readonly spec?: { readonly selector?: V1LabelSelector } }).spec?.selector?.matchLabels;
}

async function claimsOf(cluster: Cluster, pod: V1Pod, namespace: string, signal: AbortSignal | undefined) {
  const names = (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? []);
  const claims = await Promise.all(
    names.map((name) => ifAllowed(get(cluster, { kind: "PersistentVolumeClaim", namespace, name }, signal))),
  );
  return claims.filter((claim) => claim !== undefined);
}

/** Events of an object, and of a Deployment's ReplicaSets, whose names are its name and a hash without a dash (deployment/sync.go). */
function ofController(events: readonly CoreV1Event[], { kind, name }: ObjectRef): readonly CoreV1Event[] {
  return events.filter(
    ({ involvedObject: about }) =>
      (about.kind === kind && about.name === name) ||
      (kind === "Deployment" && about.kind === "ReplicaSet" && about.name?.replace(/-[^-]*$/, "") === name),
  );
}
