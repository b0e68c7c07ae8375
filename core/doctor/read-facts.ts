import { FabricError, messageOf } from "../error.ts";
import { settingsPlace } from "../injection/outcome.ts";
import { profileNames, type ProfileName } from "../injection/profile.ts";
import { defaultSettings, type InjectionSettings } from "../injection/settings.ts";
import { webhookObjects } from "../injection/webhook-objects.ts";
import { settingsKey, settingsOf } from "../injection/manifest/settings-source.ts";
import { ApiError } from "../kubernetes/api-error.ts";
import type { V1Node, VersionInfo } from "../kubernetes/client-node.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { create, get, list } from "../kubernetes/objects.ts";
import { missingPermissions, type Permission } from "../kubernetes/permissions.ts";
import { webhookStatus } from "../installation/webhook.ts";
import { eachBounded } from "../engine/bounded.ts";
import { versionsOf } from "./cluster-findings.ts";
import type { ClusterReading, NamespaceReading, Trial } from "./facts.ts";
import type { Known } from "./finding.ts";
import { trialPod } from "./trial-pod.ts";

/** Reads facts about the cluster, in parallel. A fact that cannot be read has a reason. Throws when the cluster cannot be reached. */
export async function readCluster(cluster: Cluster, signal: AbortSignal): Promise<ClusterReading> {
  const version = cluster.call({ method: "GET", path: "/version", signal }) as Promise<VersionInfo>;
  const [apiServer, nodes, runtimeClasses, storageClasses, webhook, settings] = await Promise.all([
    told(version.then(({ gitVersion }) => gitVersion)),
    told(list(cluster, { kind: "Node" }, signal).then((found) => found.filter((node) => !isVirtual(node)))),
    told(
      list(cluster, { kind: "RuntimeClass", apiVersion: "node.k8s.io/v1" }, signal).then((found) => found.map(nameOf)),
    ),
    told(list(cluster, { kind: "StorageClass" }, signal)),
    told(webhookStatus(cluster, signal)),
    told(readSettings(cluster, signal)),
  ]);
  return { apiServer, nodes, runtimeClasses, storageClasses, webhook, settings };
}

/** Reads one namespace. */
export async function readNamespace(
  cluster: Cluster,
  name: string,
  reading: ClusterReading,
  signal: AbortSignal,
): Promise<NamespaceReading> {
  const settings = reading.settings.known ? reading.settings.value : defaultSettings;
  const [namespace, trials, pods, missingRights] = await Promise.all([
    told(get(cluster, { kind: "Namespace", name }, signal)),
    eachBounded(
      profileNames,
      3,
      async (profile) =>
        [profile, await attempt(cluster, trialPod(name, profile, settings, versionsOf(reading)), signal)] as const,
    ),
    told(list(cluster, { kind: "Pod", namespace: name }, signal)),
    told(missingPermissions(cluster, wantedIn(name), signal).then((missing) => missing.map(describe))),
  ]);
  const labels = namespace.known
    ? ({ known: true, value: namespace.value?.metadata?.labels ?? {} } as const)
    : namespace;
  const missing = namespace.known && namespace.value === undefined;
  return {
    name,
    ...(missing ? { missing } : {}),
    labels,
    trials: Object.fromEntries(trials) as Record<ProfileName, Trial>,
    pods,
    missingRights,
  };
}

/** The result of a read. An unreachable cluster, refused credentials and Ctrl-C are thrown; any other failure becomes the reason. */
async function told<T>(work: Promise<T>): Promise<Known<T>> {
  try {
    return { known: true, value: await work };
  } catch (error) {
    if (endsAll(error)) throw error;
    const missing = error instanceof FabricError && error.code === "forbidden";
    return { known: false, because: missing ? `rights are missing (${messageOf(error)})` : messageOf(error) };
  }
}

function endsAll(error: unknown): boolean {
  if (error instanceof ApiError && error.httpStatus === 401) return true;
  return error instanceof FabricError && (error.code === "cluster-unreachable" || error.code === "interrupted");
}

/** A virtual kubelet reports another program's version (webhook/cluster-reader.ts). */
const isVirtual = ({ metadata }: V1Node): boolean => metadata?.labels?.["type"] === "virtual-kubelet";
const nameOf = ({ metadata }: { readonly metadata?: { readonly name?: string } }): string => metadata?.name ?? "";

async function readSettings(cluster: Cluster, signal: AbortSignal): Promise<InjectionSettings> {
  const where = { kind: "ConfigMap", namespace: webhookObjects.namespace, name: webhookObjects.name } as const;
  const found = await get(cluster, where, signal);
  return settingsOf(found?.data?.[settingsKey], settingsPlace);
}

/** Sends a Pod to the API server in a dry run. All admission takes part, also Pod Security, quotas and limits. */
async function attempt(cluster: Cluster, pod: ReturnType<typeof trialPod>, signal: AbortSignal): Promise<Trial> {
  if (typeof pod === "string") return { result: "refused", message: pod };
  try {
    await create(cluster, pod, { dryRun: true, signal });
    return { result: "admitted" };
  } catch (error) {
    if (endsAll(error)) throw error;
    const message = messageOf(error);
    // Other failures are not about the Pod: RBAC refused the user, or the dry run failed (a webhook with side effects, a busy server).
    const asked =
      error instanceof ApiError && [403, 422].includes(error.httpStatus) && !/cannot create resource/.test(message);
    return asked ? { result: "refused", message: reasonOf(message) } : { result: "unknown", because: message };
  }
}

/** 'pods "x" is forbidden: violates ...' */
function reasonOf(message: string): string {
  return message.replace(/^pods "[^"]*" is forbidden: /, "");
}

/** Rights that init, deploy-cc and cleanup need in an organization's namespace. */
function wantedIn(namespace: string): readonly Permission[] {
  const written = ["Secret", "ConfigMap", "Service", "StatefulSet", "NetworkPolicy", "PodDisruptionBudget"];
  return [
    ...written.flatMap((kind) => (["get", "create", "patch"] as const).map((verb) => ({ verb, kind, namespace }))),
    { verb: "list", kind: "Pod", namespace },
    { verb: "watch", kind: "Pod", namespace },
    { verb: "create", kind: "Pod", subresource: "portforward", namespace },
    { verb: "create", kind: "Pod", subresource: "exec", namespace },
  ];
}

function describe({ verb, kind, subresource }: Permission): string {
  return `${verb} ${kind}${subresource === undefined ? "" : `/${subresource}`}`;
}
