import { annotationKeys, namespaceLabel } from "../injection/annotations.ts";
import { isNodeSocket } from "../injection/node-socket.ts";
import { skipReason } from "../injection/inject.ts";
import type { ProfileName } from "../injection/profile.ts";
import { defaultSettings } from "../injection/settings.ts";
import { hasSidecar } from "../injection/sidecar.ts";
import type { V1Pod } from "../kubernetes/client-node.ts";
import { peerContainerOf } from "../orphans/peers/peer-pod.ts";
import type { ClusterReading, NamespaceReading } from "./facts.ts";
import { unknown, type Finding } from "./finding.ts";
import { profileVerdicts, recommended, type ProfileVerdict } from "./profile-verdict.ts";
import { joined, type KubernetesCommand, type Remedy } from "../remedy.ts";

/** The profiles of one namespace, and findings about it. */
export interface NamespaceReport {
  readonly name: string;
  readonly profiles: readonly ProfileVerdict[];
  /** Absent when no profile is both possible and allowed. */
  readonly recommended?: ProfileName;
  readonly findings: readonly Finding[];
}

/** Pure. */
export function namespaceReport(cluster: ClusterReading, namespace: NamespaceReading): NamespaceReport {
  const { name } = namespace;
  const { settings } = cluster;
  const choice = settings.known ? settings.value.profile : defaultSettings.profile;
  const profiles = profileVerdicts(cluster, namespace, choice.allowed);
  const best = recommended(profiles, choice.default);
  if (namespace.missing) return { name, profiles, findings: [missingFinding(name)] };
  const findings = [
    ...existence(namespace),
    profileFinding(name, profiles, best, choice.default),
    ...profiles.filter(({ allowed }) => allowed).flatMap((verdict) => verdictFinding(name, verdict)),
    ...(settings.known ? [] : [unknown(`namespace ${name}`, "which profiles the operator allows", settings.because)]),
    ...rightsFindings(namespace),
    ...peerFindings(namespace),
  ];
  return { name, profiles, ...(best === undefined ? {} : { recommended: best }), findings };
}

function missingFinding(name: string): Finding {
  return {
    level: "problem",
    about: `namespace ${name}`,
    text: `expected the namespace ${name}, found none`,
    hint: [{ operation: "init" }, " makes those of a network; else ", { kubectl: ["create", "namespace", name] }],
  };
}

function existence({ name, labels }: NamespaceReading): readonly Finding[] {
  const about = `namespace ${name}`;
  if (!labels.known) return [unknown(about, "its labels", labels.because)];
  if (labels.value[namespaceLabel] === "enabled") return [];
  const text = "not opted in: the webhook is not asked about its Pods";
  return [{ level: "warning", about, text, hint: optIn(name) }];
}

const optIn = (namespace: string): KubernetesCommand => ({
  kubectl: ["label", "namespace", namespace, `${namespaceLabel}=enabled`],
});

function profileFinding(
  name: string,
  profiles: readonly ProfileVerdict[],
  best: ProfileName | undefined,
  byDefault: ProfileName,
): Finding {
  const about = `namespace ${name}`;
  const others = profiles.filter(({ allowed, possible }) => !allowed && possible === "yes");
  const more =
    others.length === 0 ? "" : `; if the operator allows it: ${others.map(({ profile }) => profile).join(", ")}`;
  if (best === undefined) {
    const open = profiles.some(({ allowed, possible }) => allowed && possible === "unknown");
    const text = `${open ? "no profile that surely runs" : "no profile can run"} here${more}`;
    return {
      level: open ? "unknown" : "problem",
      about,
      text,
      hint: `the reasons are in the lines below; ${profileDocs}`,
    };
  }
  const can = profiles.filter(({ allowed, possible }) => allowed && possible === "yes");
  const text = `can have ${can.map(({ profile }) => profile).join(", ")}; use ${best}${more}`;
  if (best === byDefault) return { level: "ok", about, text };
  return {
    level: "warning",
    about,
    text: `${text}, for the default ${byDefault} cannot run here`,
    hint: [
      `annotate Pod templates ${annotationKeys.profile}: ${best}, or `,
      { operation: "init", with: { profile: best } },
    ],
  };
}

const profileDocs = "docs/injection.md#profile";

function verdictFinding(name: string, { profile, possible, because, caution }: ProfileVerdict): readonly Finding[] {
  const about = `namespace ${name}`;
  if (possible === "unknown") return [unknown(about, `profile ${profile}`, because ?? "")];
  if (possible === "no") {
    const text = `profile ${profile} is refused: ${because}`;
    return [{ level: "warning", about, text, ...hintFor(name, because ?? "") }];
  }
  return caution === undefined ? [] : [{ level: "warning", about, text: `profile ${profile}: ${caution}` }];
}

/** By the words of the admission plug-ins: PodSecurity, ResourceQuota, LimitRanger. */
function hintFor(name: string, because: string): { readonly hint?: Remedy } {
  if (/PodSecurity|Pod Security/.test(because))
    return {
      hint: [
        "to allow it: ",
        { kubectl: ["label", "namespace", name, "pod-security.kubernetes.io/enforce=privileged", "--overwrite"] },
      ],
    };
  if (because.includes("exceeded quota") || because.includes("failed quota"))
    return { hint: { kubectl: ["-n", name, "describe", "resourcequota"] } };
  if (/usage per (Container|Pod)|ratio per/.test(because))
    return { hint: { kubectl: ["-n", name, "describe", "limitrange"] } };
  if (because.includes("needs Linux")) return { hint: { kubectl: ["get", "nodes", "-o", "wide"] } };
  return {};
}

function rightsFindings({ name, missingRights }: NamespaceReading): readonly Finding[] {
  const about = `namespace ${name}`;
  if (!missingRights.known) return [unknown(about, "your rights", missingRights.because)];
  const missing = missingRights.value;
  if (missing.length === 0)
    return [{ level: "ok", about, text: "you have the rights that init, deploy-cc and cleanup need" }];
  return [
    {
      level: "warning",
      about,
      text: `rights that init, deploy-cc or cleanup need and you lack: ${missing.join(", ")}`,
      hint: { kubectl: ["-n", name, "auth", "can-i", "--list"] },
    },
  ];
}

function peerFindings({ name, pods, labels }: NamespaceReading): readonly Finding[] {
  const about = `namespace ${name}`;
  if (!pods.known) return [unknown(about, "its peers", pods.because)];
  const peers = pods.value.filter((pod) => !hasEnded(pod) && peerContainerOf(pod) !== undefined);
  const optedIn = !labels.known || labels.value[namespaceLabel] === "enabled";
  const found = peers.flatMap((pod) => peerFinding(about, pod, optedIn));
  const well = peers.length - found.length;
  return well === 0
    ? found
    : [{ level: "ok", about, text: `${well} of ${peers.length} peers as they should be` }, ...found];
}

function hasEnded({ status, metadata }: V1Pod): boolean {
  return status?.phase === "Failed" || status?.phase === "Succeeded" || metadata?.deletionTimestamp !== undefined;
}

function peerFinding(about: string, pod: V1Pod, optedIn: boolean): readonly Finding[] {
  const { name = "", namespace = "", annotations = {}, ownerReferences = [] } = pod.metadata ?? {};
  const wished = skipReason(pod) === undefined;
  if (wished && annotations[annotationKeys.injected] === undefined && !hasSidecar(pod)) {
    const text = `peer ${name} asks for injection and has none: it was made while nobody was asked`;
    // Deleting the Pod deletes what it has in an emptyDir, a ledger perhaps.
    const remake: Remedy = ownerReferences.some(({ controller }) => controller === true)
      ? [{ kubectl: ["-n", namespace, "delete", "pod", name] }, ": its controller makes it anew"]
      : [
          "keep what it has outside of volume claims, and make it anew from its manifest: no controller does, ",
          { kubectl: ["-n", namespace, "get", "pod", name, "-o", "yaml"] },
          " shows it",
        ];
    const hint = joined([optedIn ? undefined : optIn(namespace), remake], " && ");
    return [{ level: "problem", about, text, hint }];
  }
  if (wished || !(pod.spec?.volumes ?? []).some(isNodeSocket)) return [];
  const text = `peer ${name} mounts the node's docker.sock: its chaincode is outside of Kubernetes, and owns the node`;
  const hint = `annotate its Pod template ${annotationKeys.inject}: "true" (docs/injection.md), or `;
  return [{ level: "warning", about, text, hint: [hint, { operation: "inject", with: { file: "FILE" } }] }];
}
