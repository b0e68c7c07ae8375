import type { V1Deployment, V1Job, V1PersistentVolumeClaim, V1Pod, V1StatefulSet, V1DaemonSet } from "./client-node.ts";
import { explainPod } from "./explain.ts";

/** Whether a condition holds for an object: yes, not yet, or never. */
type Verdict =
  | { readonly so: true }
  | { readonly so: false; readonly progress: string }
  | { readonly so: "never"; readonly because: string };

/** Judges an object, or its absence. Pure. */
export type Condition<T> = (object: T | undefined) => Verdict;

const so: Verdict = { so: true };
const notYet = (progress: string): Verdict => ({ so: false, progress });

/** The Pod is ready, by its readiness probes. */
export const podReady: Condition<V1Pod> = (pod) => {
  if (!pod) return notYet("no Pod yet");
  const phase = pod.status?.phase;
  if (phase === "Failed" || phase === "Succeeded") {
    return { so: "never", because: explainPod(pod)?.text ?? `the Pod has ended (${phase})` };
  }
  const ready = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  if (ready && !pod.metadata?.deletionTimestamp) return so;
  const problem = explainPod(pod);
  if (problem?.final) return { so: "never", because: problem.text };
  return notYet(problem?.text ?? `Pod ${phase ?? "Pending"}`);
};

/**
 * Every replica runs the newest template and is ready, as `kubectl rollout status` counts
 * (k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go).
 */
export const rolledOut: Condition<V1Deployment | V1StatefulSet | V1DaemonSet> = (workload) => {
  if (!workload) return notYet("not there yet");
  const { generation } = workload.metadata ?? {};
  if ((workload.status?.observedGeneration ?? 0) < (generation ?? 0)) return notYet("waiting for its controller");
  const { wanted, updated, ready, old } = replicasOf(workload);
  const failure = workload.status?.conditions?.find(
    ({ type, status }) => type === "ReplicaFailure" && status === "True",
  );
  if (updated < wanted && failure?.message) return notYet(failure.message);
  if (updated < wanted) return notYet(`${updated} of ${wanted} Pods updated`);
  if (ready < wanted) return notYet(`${ready} of ${wanted} Pods ready`);
  return old > 0 ? notYet(`${old} old ${old > 1 ? "Pods have" : "Pod has"} to go`) : so;
};

interface Replicas {
  readonly wanted: number;
  readonly updated: number;
  readonly ready: number;
  readonly old: number;
}

function replicasOf(workload: V1Deployment | V1StatefulSet | V1DaemonSet): Replicas {
  const { spec, status } = workload;
  if (status && "desiredNumberScheduled" in status) {
    const { desiredNumberScheduled: wanted, updatedNumberScheduled: updated = 0, numberAvailable: ready = 0 } = status;
    return { wanted, updated, ready, old: 0 };
  }
  const wanted = (spec && "replicas" in spec ? spec.replicas : undefined) ?? 1;
  const {
    replicas = 0,
    updatedReplicas: updated = 0,
    readyReplicas: ready = 0,
  } = (status ?? {}) as V1Deployment["status"] & object;
  // A StatefulSet that never changed has no updateRevision to count by.
  return { wanted, updated, ready, old: Math.max(0, replicas - Math.max(updated, wanted)) };
}

/** The claim has its volume; a claim of a WaitForFirstConsumer class has it only after a Pod that uses it was scheduled. */
export const claimBound: Condition<V1PersistentVolumeClaim> = (claim) => {
  const phase = claim?.status?.phase;
  if (phase === "Bound") return so;
  if (phase === "Lost") return { so: "never", because: `its volume ${claim?.spec?.volumeName ?? ""} is lost` };
  return notYet(claim ? `PersistentVolumeClaim ${phase ?? "Pending"}` : "no claim yet");
};

/** The Job has run to its end. */
export const jobComplete: Condition<V1Job> = (job) => {
  const condition = job?.status?.conditions?.find(({ status }) => status === "True");
  if (condition?.type === "Complete" || condition?.type === "SuccessCriteriaMet") return so;
  if (condition?.type === "Failed") return { so: "never", because: condition.message ?? "the Job has failed" };
  return notYet(job ? `${job.status?.active ?? 0} Pods active` : "no Job yet");
};

/** There is no such object. */
export const gone: Condition<unknown> = (object) => (object === undefined ? so : notYet("still there"));

/** There is such an object. */
export const present: Condition<unknown> = (object) => (object === undefined ? notYet("not there yet") : so);
