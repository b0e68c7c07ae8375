import { oldestVersion } from "../injection/cluster.ts";
import {
  podSecurityLevels,
  profileNames,
  profiles,
  type PodSecurityLevel,
  type Profile,
  type ProfileName,
} from "../injection/profile.ts";
import { isOlder, parseVersion, printVersion } from "../injection/version.ts";
import type { V1Node } from "../kubernetes/client-node.ts";
import { versionsOf } from "./cluster-findings.ts";
import type { ClusterReading, NamespaceReading, Trial } from "./facts.ts";

/** Whether peers of a namespace can have a profile. */
export interface ProfileVerdict {
  readonly profile: ProfileName;
  /** Whether the cluster and the namespace can run it. */
  readonly possible: "yes" | "no" | "unknown";
  /** Whether the operator's settings allow it. */
  readonly allowed: boolean;
  readonly because?: string;
  /** Set when it is possible, but not on every node, or not certain. */
  readonly caution?: string;
}

const enforceLabel = "pod-security.kubernetes.io/enforce";

/** Judges each profile; `allowed` does not change `possible`. Pure. */
export function profileVerdicts(
  cluster: ClusterReading,
  namespace: NamespaceReading,
  allowed: readonly ProfileName[],
): readonly ProfileVerdict[] {
  return profileNames.map((profile) => ({
    profile,
    allowed: allowed.includes(profile),
    ...judge(profiles[profile], cluster, namespace),
  }));
}

type Judgement = Pick<ProfileVerdict, "possible" | "because" | "caution">;

const no = (because: string): Judgement => ({ possible: "no", because });

function judge(profile: Profile, cluster: ClusterReading, namespace: NamespaceReading): Judgement {
  const refusal = versionRefusal(profile, cluster) ?? runtimeClassRefusal(profile, cluster);
  if (refusal !== undefined) return no(refusal);
  const admitted = admission(profile, namespace);
  return admitted.possible === "no" ? admitted : { ...admitted, ...onNodes(profile, cluster, admitted) };
}

function versionRefusal({ requires }: Profile, cluster: ClusterReading): string | undefined {
  const found = oldestVersion(versionsOf(cluster));
  if (requires.kubernetes === undefined || found === undefined || !isOlder(found, requires.kubernetes))
    return undefined;
  return `needs Kubernetes ${requires.kubernetes} on every node, found ${printVersion(found)}`;
}

function runtimeClassRefusal({ pod }: Profile, { runtimeClasses }: ClusterReading): string | undefined {
  const wanted = pod.runtimeClassName;
  if (wanted === undefined || !runtimeClasses.known || runtimeClasses.value.includes(wanted)) return undefined;
  return `needs the RuntimeClass ${wanted}, found ${runtimeClasses.value.join(", ") || "none"}`;
}

/** The API server's answer to a Pod of the profile; without it, the namespace's label, which says nothing of quotas and other admission. */
function admission({ name, requires }: Profile, { trials, labels }: NamespaceReading): Judgement {
  const trial: Trial = trials[name];
  if (trial.result === "admitted") return { possible: "yes" };
  if (trial.result === "refused") return no(trial.message);
  if (!labels.known) return { possible: "unknown", because: `${trial.because}; ${labels.because}` };
  const level = enforcedLevel(labels.value);
  if (podSecurityLevels.indexOf(requires.podSecurity) < podSecurityLevels.indexOf(level))
    return no(`the namespace enforces Pod Security "${level}"`);
  return { possible: "yes", caution: `judged by its label alone: ${trial.because}` };
}

function enforcedLevel(labels: Readonly<Record<string, string>>): PodSecurityLevel {
  return podSecurityLevels.find((level) => level === labels[enforceLabel]) ?? "privileged";
}

/** What the nodes' kernels and runtimes allow. A Pod may be scheduled to any of them. */
function onNodes(profile: Profile, { nodes }: ClusterReading, { caution: before }: Judgement): Partial<Judgement> {
  if (profile.requires.kernel === undefined) return {};
  if (!nodes.known)
    return { possible: "unknown", because: `needs Linux ${profile.requires.kernel} on the nodes: ${nodes.because}` };
  const linux = nodes.value.filter(({ status }) => status?.nodeInfo?.operatingSystem === "linux");
  const reasons = linux.map((node) => nodeRefusal(profile, node));
  const bad = reasons.filter((reason) => reason !== undefined);
  if (bad.length === 0) return {};
  if (bad.length === linux.length) return no(bad[0] ?? "");
  const some = `not on ${bad.length} of ${linux.length} nodes (${bad[0]}): give peers a nodeSelector`;
  return { caution: before === undefined ? some : `${some}; ${before}` };
}

function nodeRefusal({ requires, pod }: Profile, { metadata, status }: V1Node): string | undefined {
  const found = parseVersion(status?.nodeInfo?.kernelVersion ?? "");
  if (requires.kernel !== undefined && found !== undefined && isOlder(found, requires.kernel))
    return `needs Linux ${requires.kernel}, node ${metadata?.name} has ${printVersion(found)}`;
  // KEP-127: from 1.30 on, kubelets report the features of their runtime's handlers. The handler without a name is the default.
  const handler = status?.runtimeHandlers?.find(({ name }) => (name ?? "") === "");
  if (pod.hostUsers === false && handler !== undefined && handler.features?.userNamespaces !== true)
    return `needs user namespaces, which the container runtime of node ${metadata?.name} has not`;
  return undefined;
}

/** The default profile if it can run; else the usable profile with the least privilege. Pure. */
export function recommended(verdicts: readonly ProfileVerdict[], byDefault: ProfileName): ProfileName | undefined {
  const usable = verdicts
    .filter(({ possible, allowed }) => possible === "yes" && allowed)
    .map(({ profile }) => profile)
    .sort((a, b) => strictness(b) - strictness(a));
  return usable.find((profile) => profile === byDefault) ?? usable[0];
}

function strictness(name: ProfileName): number {
  return podSecurityLevels.indexOf(profiles[name].requires.podSecurity);
}
