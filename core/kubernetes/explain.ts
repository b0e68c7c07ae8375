import type {
  CoreV1Event,
  V1ContainerState,
  V1ContainerStatus,
  V1PersistentVolumeClaim,
  V1Pod,
} from "./client-node.ts";
import type { Remedy } from "../remedy.ts";

/** Why a Pod does not run. */
export interface PodProblem {
  /** One sentence. */
  readonly text: string;
  readonly hint?: Remedy | undefined;
  /** No time will cure it: somebody has to change something. */
  readonly final: boolean;
  /** The name of a claim that the Pod needs and that is not there. */
  readonly missingClaim?: string;
  /** The container that has ended and whose last log lines say more. */
  readonly log?: { readonly container: string; readonly previous: boolean };
}

/**
 * Why a Pod does not start or does not become ready, from its status, its events and its claims; undefined when we see no problem. Pure.
 */
export function explainPod(
  pod: V1Pod,
  events: readonly CoreV1Event[] = [],
  claims: readonly V1PersistentVolumeClaim[] = [],
): PodProblem | undefined {
  return unscheduled(pod, claims) ?? brokenContainer(pod) ?? ended(pod) ?? warned(pod, events) ?? unready(pod);
}

/** Why a controller (ReplicaSet, StatefulSet, Job) cannot even create its Pods, from its events. Pure. */
export function explainController(events: readonly CoreV1Event[]): PodProblem | undefined {
  const refused = newest(events.filter(({ type, reason }) => type === "Warning" && reason === "FailedCreate"));
  if (!refused) return undefined;
  const message = refused.message ?? "its Pods cannot be created";
  const webhook = /admission webhook "([^"]+)" denied the request/.exec(message)?.[1];
  if (webhook) return { text: message, hint: `the admission webhook ${webhook} refuses the Pod`, final: false };
  if (message.includes("violates PodSecurity")) {
    const namespace = refused.involvedObject.namespace ?? "";
    return {
      text: message,
      hint: [
        "allow it: ",
        { kubectl: ["label", "namespace", namespace, "--overwrite", "pod-security.kubernetes.io/enforce=privileged"] },
      ],
      final: false,
    };
  }
  if (message.includes("exceeded quota"))
    return {
      text: message,
      hint: { kubectl: ["describe", "resourcequota", ...inNamespace(refused.involvedObject)] },
      final: false,
    };
  return { text: message, final: false };
}

function unscheduled(pod: V1Pod, claims: readonly V1PersistentVolumeClaim[]): PodProblem | undefined {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.status !== "False") return undefined;
  const pending = claims.filter(({ status }) => status?.phase !== "Bound").map(describeClaim);
  // The scheduler says "not found" twice for a claim that does not exist.
  const said = scheduled.message?.replace(/\bnot found\. not found\b/, "not found");
  const text = `no node takes the Pod: ${said ?? scheduled.reason ?? "unschedulable"}`;
  const where = inNamespace(pod.metadata);
  const missingClaim = /persistentvolumeclaim "([^"]+)" not found/.exec(text)?.[1];
  if (missingClaim !== undefined) {
    const hint = [{ kubectl: ["get", "pvc", ...where] }, ": the claim has to be made anew"];
    return { text, hint, final: false, missingClaim };
  }
  return pending.length > 0
    ? {
        text: `${text}; ${pending.join("; ")}`,
        hint: { kubectl: ["get", "storageclass,pvc", ...where] },
        final: false,
      }
    : { text, hint: [{ kubectl: ["describe", "nodes"] }, ": what is allocated, which taints"], final: false };
}

function inNamespace(about: { readonly namespace?: string } | undefined): readonly string[] {
  return about?.namespace === undefined ? [] : ["-n", about.namespace];
}

function describeClaim({ metadata, spec, status }: V1PersistentVolumeClaim): string {
  const storageClass = spec?.storageClassName
    ? `storage class ${spec.storageClassName}`
    : "no storage class, and no default";
  return `claim ${metadata?.name} is ${status?.phase ?? "Pending"} (${storageClass})`;
}

/** Waiting reasons, as kubelet writes them (pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime/kuberuntime_container.go). */
const imageReasons: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "ImageInspectError",
  "RegistryUnavailable",
  "SignatureValidationFailed",
]);
const configReasons: ReadonlySet<string> = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);

function brokenContainer(pod: V1Pod): PodProblem | undefined {
  for (const container of containerStatuses(pod)) {
    const problem = explainContainer(container, pod);
    if (problem) return problem;
  }
  return undefined;
}

/** In the order in which they start. */
function containerStatuses({ status }: V1Pod): readonly V1ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
}

function explainContainer(
  { name, image, state, lastState, ready, restartCount }: V1ContainerStatus,
  { metadata, status: { phase } = {} }: V1Pod,
): PodProblem | undefined {
  const { reason = "", message } = state?.waiting ?? {};
  const told = message ? `: ${oneLine(message)}` : "";
  if (imageReasons.has(reason)) {
    return {
      text: `container ${name} has no image ${image} (${reason})${told}`,
      hint: "is the image's name right, and may the cluster pull it? Load it into the nodes, or set imagePullSecrets",
      final: reason === "ErrImageNeverPull" || reason === "InvalidImageName",
    };
  }
  if (configReasons.has(reason)) return { text: `container ${name} cannot be made (${reason})${told}`, final: false };
  const ended = state?.terminated !== undefined && state.terminated.exitCode !== 0 && phase !== "Failed";
  // Restarted, runs, and is not ready.
  const back = state?.running !== undefined && !ready && lastState?.terminated !== undefined;
  if (reason !== "CrashLoopBackOff" && !ended && !back) return undefined;
  // A container that has ended and is not restarted yet: this end is not in restartCount, and its log is not the previous one.
  const count = ended ? restartCount + 1 : restartCount;
  const previous = !ended;
  return {
    text: `container ${name} ended ${count === 1 ? "once" : `${count} times`}, ${lastEnd(ended ? state : lastState)}`,
    hint: {
      kubectl: [
        "logs",
        ...inNamespace(metadata),
        metadata?.name ?? "",
        "-c",
        name,
        ...(previous ? ["--previous"] : []),
      ],
    },
    final: false,
    log: { container: name, previous },
  };
}

/** Restarts after which a container in CrashLoopBackOff counts as broken. */
const mostEnds = 3;

/** How often a Pod's containers have been started again. */
export function restartsOf(pod: V1Pod): number {
  return containerStatuses(pod).reduce((total, { restartCount }) => total + restartCount, 0);
}

/** Whether a Pod is broken, though its kubelet goes on trying: an image cannot be pulled, or a container ends again and again. Pure. */
export function isBroken(pod: V1Pod): boolean {
  return containerStatuses(pod).some(
    (status) =>
      lacksImage(status) || (status.state?.waiting?.reason === "CrashLoopBackOff" && status.restartCount >= mostEnds),
  );
}

/**
 * Whether a broken Pod has failed again just now: an attempt to pull, or more restarts than `before`. While the kubelet only waits for
 * its next attempt, somebody may have removed the cause. Pure.
 */
export function hasFailedAnew(pod: V1Pod, before: number): boolean {
  const tried = containerStatuses(pod).some(
    (status) => lacksImage(status) && status.state?.waiting?.reason !== "ImagePullBackOff",
  );
  return isBroken(pod) && (tried || restartsOf(pod) > before);
}

/** Whether the kubelet could not get the container's image. */
export function lacksImage({ state }: Pick<V1ContainerStatus, "state">): boolean {
  return imageReasons.has(state?.waiting?.reason ?? "");
}

function lastEnd(state: V1ContainerState | undefined): string {
  const { exitCode, signal, reason, message } = state?.terminated ?? {};
  const how = signal ? `by signal ${signal}` : `with exit code ${exitCode ?? "unknown"}`;
  const why = reason && reason !== "Error" && reason !== "Completed" ? ` (${reason})` : "";
  return `last ${how}${why}${message ? `: ${oneLine(message)}` : ""}`;
}

function ended(pod: V1Pod): PodProblem | undefined {
  const { phase, reason, message } = pod.status ?? {};
  if (phase !== "Failed") return undefined;
  const why = [reason, message].filter((part) => part).join(": ");
  const container = containerStatuses(pod).find(({ state }) => (state?.terminated?.exitCode ?? 0) !== 0);
  const how = container ? `container ${container.name} ended ${lastEnd(container.state)}` : "";
  return {
    text: `the Pod has failed${why || how ? `: ${[why, how].filter((part) => part).join("; ")}` : ""}`,
    final: true,
  };
}

const tellingEvents: ReadonlySet<string> = new Set([
  "FailedMount",
  "FailedAttachVolume",
  "FailedCreatePodSandBox",
  "FailedScheduling",
  "Evicted",
]);

function warned(pod: V1Pod, events: readonly CoreV1Event[]): PodProblem | undefined {
  if (isReady(pod) || containerStatuses(pod).some(({ state }) => state?.running)) return undefined;
  const own = events.filter(({ involvedObject }) => involvedObject.name === pod.metadata?.name);
  const event = newest(own.filter(({ type, reason }) => type === "Warning" && tellingEvents.has(reason ?? "")));
  return event && { text: `${event.reason}: ${oneLine(event.message ?? "")}`, final: false };
}

function unready(pod: V1Pod): PodProblem | undefined {
  if (isReady(pod)) return undefined;
  const starting = containerStatuses(pod).find(({ state, started }) => state?.running && started === false);
  if (starting) return { text: `container ${starting.name} is starting (its startup probe)`, final: false };
  const waiting = (pod.status?.containerStatuses ?? []).find(({ state, ready }) => state?.running && !ready);
  return waiting && { text: `container ${waiting.name} runs but is not ready (its readiness probe)`, final: false };
}

function isReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

function newest(events: readonly CoreV1Event[]): CoreV1Event | undefined {
  return [...events].sort((a, b) => timeOf(a) - timeOf(b)).at(-1);
}

/** When an event last happened, in milliseconds. */
export function timeOf({ lastTimestamp, eventTime, metadata }: CoreV1Event): number {
  return (lastTimestamp ?? eventTime ?? metadata.creationTimestamp)?.getTime() ?? 0;
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s+/g, " ");
}
