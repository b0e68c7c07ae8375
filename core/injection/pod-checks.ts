import type { V1Pod, V1PodSpec } from "@kubernetes/client-node";
import { annotationKeys, documentationOf } from "./annotations.ts";
import { oldestVersion, type ClusterFacts } from "./cluster.ts";
import { Denial, type DenialReason, type Warning } from "./outcome.ts";
import { restrictedViolations } from "./pod-security.ts";
import { podSecurityLevels, type Profile } from "./profile.ts";
import type { InjectionRequest } from "./request.ts";
import type { SidecarForm } from "./sidecar.ts";
import { isOlder, printVersion } from "./version.ts";

function denial(
  reason: DenialReason,
  key: string,
  value: string,
  allowed: string,
  sentence: string,
  heading: string,
): Denial {
  return new Denial(reason, { key, value, allowed, documentation: documentationOf(heading) }, sentence);
}

/** Throws Denial when a daemon in the Pod would reach beyond it, or could not run. */
export function checkPod({ spec }: V1Pod): void {
  const heading = "pods that are refused";
  if (spec?.os?.name === "windows") {
    const sentence = "a Windows Pod cannot run Docker for a Fabric peer: expected Linux";
    throw denial("operating-system", "spec.os.name", "windows", "linux", sentence, heading);
  }
  // dockerd would change the node's own iptables and bridge, and chaincode would listen on the node's loopback.
  if (spec?.hostNetwork === true)
    throw hostNamespace("hostNetwork", "the daemon would change the node's own network", heading);
  // Chaincode would survive its Pod, as processes of the node.
  if (spec?.hostPID === true) throw hostNamespace("hostPID", "chaincode would outlive the Pod", heading);
}

function hostNamespace(field: string, why: string, heading: string): Denial {
  const sentence = `spec.${field} is true: ${why}; remove it, or leave out the annotation ${annotationKeys.inject}`;
  return denial("host-namespace", `spec.${field}`, "true", "false", sentence, heading);
}

/** The denial for a name of ours in a Pod that was never injected, or that has a daemon of its own. */
export function reservedName(taken: string): Denial {
  const sentence = `${taken} is a name of the injection's own, but this Pod was never injected: give yours another name`;
  return denial("reserved-name", "spec", taken, "any other name", sentence, "names");
}

/** The denial for a second volume with the claim of the daemon's data. */
export function sharedGraph(volume: string): Denial {
  const sentence = `the volume ${volume} has the claim that the daemon is to keep its data on: whoever writes there decides what it starts; take another claim for one of the two`;
  return denial(
    "contradiction",
    annotationKeys.storage,
    volume,
    "a claim that no other volume has",
    sentence,
    "dind-storage",
  );
}

/** Throws Denial when the Pod, its namespace or the cluster lacks what the profile needs. */
export function checkProfile({ spec }: V1Pod, profile: Profile, cluster: ClusterFacts): void {
  checkRuntimeClass(spec, profile);
  checkVersion(profile, cluster);
  checkPodSecurity(profile, cluster);
  checkOwnContainers(spec, cluster);
}

function checkRuntimeClass(spec: V1PodSpec | undefined, { name, pod }: Profile): void {
  const wanted = pod.runtimeClassName;
  const found = spec?.runtimeClassName;
  if (wanted === undefined || found === undefined || found === null || found === wanted) return;
  const sentence = `the profile ${name} needs the runtime class ${wanted}, the Pod asks for ${found}: remove one of the two`;
  throw denial("contradiction", "spec.runtimeClassName", found, wanted, sentence, "profile");
}

function checkVersion({ name, requires }: Profile, cluster: ClusterFacts): void {
  const found = oldestVersion(cluster);
  if (requires.kubernetes === undefined || found === undefined || !isOlder(found, requires.kubernetes)) return;
  const allowed = `Kubernetes ${requires.kubernetes} or later`;
  const sentence = `the profile ${name} needs ${allowed} on every node, found ${printVersion(found)}: use another profile`;
  throw denial("cluster-version", annotationKeys.profile, name, allowed, sentence, "profile");
}

const enforceLabel = "pod-security.kubernetes.io/enforce";

/** Denies before the API server refuses the Pod (KEP-2579), whose message does not say what to do. */
function checkPodSecurity({ summary, requires }: Profile, { namespace }: ClusterFacts): void {
  const enforced = podSecurityLevels.findIndex((level) => level === namespace?.labels[enforceLabel]);
  if (namespace === undefined || enforced <= podSecurityLevels.indexOf(requires.podSecurity)) return;
  const found = podSecurityLevels[enforced] ?? "";
  const command = `kubectl label namespace ${namespace.name} ${enforceLabel}=${requires.podSecurity} --overwrite`;
  const sentence = `namespace ${namespace.name} enforces Pod Security "${found}", which refuses ${summary}: type ${command}`;
  throw denial("pod-security", enforceLabel, found, requires.podSecurity, sentence, "pod security");
}

/** Under "restricted" the sidecar may be admitted while the Pod's own containers are not: the denial names these containers. */
function checkOwnContainers(spec: V1PodSpec | undefined, { namespace }: ClusterFacts): void {
  if (spec === undefined || namespace?.labels[enforceLabel] !== "restricted") return;
  const violations = restrictedViolations(spec);
  if (violations.length === 0) return;
  const found = violations.join("; ");
  const sentence = `namespace ${namespace.name} enforces Pod Security "restricted", which refuses the Pod's own containers: ${found}`;
  throw denial("pod-security", enforceLabel, "restricted", "containers that say all of it", sentence, "pod security");
}

/** Whether the kubelet changes the group of every file of a claim to the Pod's fsGroup at each start, not only when the root differs. */
function changesOwners(spec: V1PodSpec | undefined): boolean {
  const { fsGroup, fsGroupChangePolicy } = spec?.securityContext ?? {};
  return fsGroup !== undefined && fsGroup !== null && fsGroupChangePolicy !== "OnRootMismatch";
}

const groupWarning: Warning = {
  reason: "fs-group",
  message:
    "the Pod's fsGroup would be given to every file of every image on the claim at each start: set spec.securityContext.fsGroupChangePolicy to OnRootMismatch",
};

/** Warnings about settings that work, but not as the user may expect. */
export function podWarnings(
  { spec }: V1Pod,
  { profile, graph }: InjectionRequest,
  form: SidecarForm,
): readonly Warning[] {
  const warnings: Warning[] = [];
  if (graph.kind === "claim" && changesOwners(spec)) warnings.push(groupWarning);
  if (profile.maturity === "experimental") {
    warnings.push({
      reason: "experimental-profile",
      message: `the profile ${profile.name} is experimental: it was not tested on a cluster`,
    });
  }
  if (spec?.shareProcessNamespace === true) {
    const message =
      "spec.shareProcessNamespace is true: every container of the Pod sees the daemon's and the chaincode's processes";
    warnings.push({ reason: "process-namespace", message });
  }
  if (form === "container")
    warnings.push({ reason: "container-fallback", message: fallbackMessage(spec?.restartPolicy) });
  return warnings;
}

function fallbackMessage(restartPolicy: string | undefined): string {
  const base = "below Kubernetes 1.29 the daemon is an ordinary container: it may end before the peer does";
  return restartPolicy === "Never" || restartPolicy === "OnFailure"
    ? `${base}, and it keeps a Pod with restartPolicy ${restartPolicy} from ending`
    : base;
}
