import { compareVersions, isOlder, parseVersion, printVersion, type Version } from "../injection/version.ts";
import type { ClusterFacts } from "../injection/cluster.ts";
import { sidecarForm } from "../injection/sidecar.ts";
import type { V1Node, V1StorageClass } from "../kubernetes/client-node.ts";
import type { WebhookStatus } from "../installation/webhook.ts";
import type { ClusterReading } from "./facts.ts";
import { unknown, type Finding, type Known } from "./finding.ts";
import type { Remedy } from "../remedy.ts";

/** The oldest version in docs/injection.md. */
const oldestKubernetes = "1.27";
/** The webhook renews its certificate earlier: fewer days left mean that the renewal fails. */
const fewDays = 14;

/** Findings about the whole cluster. Pure. */
export function clusterFindings(reading: ClusterReading): readonly Finding[] {
  return [
    ...versionFindings(reading),
    ...nodeFindings(reading.nodes),
    ...webhookFindings(reading.webhook),
    ...storageFindings(reading.storageClasses),
  ];
}

/** The versions as the webhook would see them. */
export function versionsOf({ apiServer, nodes }: ClusterReading): ClusterFacts {
  return {
    apiServer: apiServer.known ? parseVersion(apiServer.value) : undefined,
    oldestKubelet: nodes.known ? oldestKubelet(nodes.value) : undefined,
  };
}

function oldestKubelet(nodes: readonly V1Node[]): Version | undefined {
  return nodes
    .flatMap(({ status }) => parseVersion(status?.nodeInfo?.kubeletVersion ?? "") ?? [])
    .sort(compareVersions)[0];
}

function versionFindings(reading: ClusterReading): readonly Finding[] {
  const { apiServer } = reading;
  if (!apiServer.known) return [unknown("cluster", "the API server's version", apiServer.because)];
  const versions = versionsOf(reading);
  const kubelet = versions.oldestKubelet === undefined ? "not known" : printVersion(versions.oldestKubelet);
  const text = `Kubernetes ${apiServer.value}, oldest kubelet ${kubelet}`;
  const upgrade = "upgrade the cluster to Kubernetes 1.29 or newer, its nodes too";
  if ([versions.apiServer, versions.oldestKubelet].some((one) => one !== undefined && isOlder(one, oldestKubernetes)))
    return [
      { level: "problem", about: "cluster", text: `${text}: expected ${oldestKubernetes} or newer`, hint: upgrade },
    ];
  if (sidecarForm(versions) === "native")
    return [{ level: "ok", about: "cluster", text: `${text}: native sidecars start before the peer, end after it` }];
  const fallback = `${text}: before 1.29 the sidecar is an ordinary container, which may end before the peer`;
  return [{ level: "warning", about: "cluster", text: fallback, hint: upgrade }];
}

function nodeFindings(nodes: Known<readonly V1Node[]>): readonly Finding[] {
  if (!nodes.known) return [unknown("nodes", "runtimes, kernels and readiness", nodes.because)];
  const kinds = Map.groupBy(nodes.value, describeNode);
  const unready = nodes.value.filter((node) => !isReady(node)).map(({ metadata }) => metadata?.name ?? "");
  const windows =
    nodes.value.length > 0 && nodes.value.every(({ status }) => status?.nodeInfo?.operatingSystem !== "linux");
  return [
    ...[...kinds].map(([kind, of]): Finding => ({ level: "ok", about: "nodes", text: `${of.length} x ${kind}` })),
    ...(windows
      ? [
          {
            level: "problem",
            about: "nodes",
            text: "expected a Linux node, found none",
            hint: { kubectl: ["get", "nodes", "-o", "wide"] },
          } as const,
        ]
      : []),
    ...(unready.length === 0 ? [] : [unreadyFinding(unready, nodes.value.length)]),
  ];
}

function describeNode({ status }: V1Node): string {
  const { operatingSystem, architecture, kernelVersion, containerRuntimeVersion } = status?.nodeInfo ?? {};
  return `${operatingSystem}/${architecture}, kernel ${kernelVersion}, ${containerRuntimeVersion}`;
}

function isReady({ status }: V1Node): boolean {
  return status?.conditions?.some(({ type, status: so }) => type === "Ready" && so === "True") ?? false;
}

function unreadyFinding(unready: readonly string[], all: number): Finding {
  const some = unready.slice(0, 3).join(", ") + (unready.length > 3 ? ", ..." : "");
  return {
    level: unready.length === all ? "problem" : "warning",
    about: "nodes",
    text: `${unready.length} of ${all} not ready: ${some}`,
    hint: { kubectl: ["describe", "node", unready[0] ?? ""] },
  };
}

function webhookFindings(webhook: Known<WebhookStatus>): readonly Finding[] {
  const about = "webhook";
  if (!webhook.known) return [unknown(about, "whether it is installed", webhook.because)];
  const { value } = webhook;
  const hint = { operation: "webhook install" } as const;
  if (!value.installed)
    return [{ level: "problem", about, text: "it is not installed: annotated peers start without Docker", hint }];
  const { ready, wanted } = value.replicas;
  const days = value.certificateDaysLeft;
  const authority = value.certificates.find(({ role }) => role === "trusted")?.fingerprint;
  const text =
    `${ready} of ${wanted} Pods ready, ${value.trusted ? `registered with CA ${authority ?? "?"}` : "its CA is not registered"}, ` +
    `certificate ${days === undefined ? "not readable" : `for ${days} days`}`;
  const look = { operation: "webhook status" } as const;
  if (!value.ready && (ready === 0 || !value.trusted)) return [{ level: "problem", about, text, hint: look }];
  const well = value.ready && (days === undefined || days >= fewDays);
  return [well ? { level: "ok", about, text } : { level: "warning", about, text, hint: look }];
}

const defaultClassAnnotation = "storageclass.kubernetes.io/is-default-class";

function storageFindings(classes: Known<readonly V1StorageClass[]>): readonly Finding[] {
  const about = "storage";
  if (!classes.known) return [unknown(about, "storage classes", classes.because)];
  const names = classes.value.map(({ metadata }) => metadata?.name ?? "");
  const marked = classes.value.filter(({ metadata }) => metadata?.annotations?.[defaultClassAnnotation] === "true");
  if (marked.length > 0)
    return [
      { level: "ok", about, text: `default storage class ${marked.map(({ metadata }) => metadata?.name).join(", ")}` },
    ];
  const [first] = names;
  const hint: Remedy =
    first === undefined
      ? "install a provisioner, or make PersistentVolumes; peers with dind-storage: emptyDir need none"
      : { operation: "init", with: { storageClass: first } };
  const found = names.length === 0 ? "none at all" : names.join(", ");
  return [
    { level: "warning", about, text: `expected a default storage class, found ${found}: claims stay Pending`, hint },
  ];
}
