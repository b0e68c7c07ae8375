import { FabricError } from "../error.ts";
import type { KubernetesCommand } from "../remedy.ts";
import type { V1SelfSubjectAccessReview } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import { findResource } from "./discovery.ts";

/** A right, as RBAC grants it. */
export interface Permission {
  readonly verb: "get" | "list" | "watch" | "create" | "patch" | "update" | "delete" | "deletecollection";
  readonly kind: string;
  readonly apiVersion?: string | undefined;
  /** Undefined for kinds without namespaces, or for all namespaces. */
  readonly namespace?: string | undefined;
  /** "portforward", "exec", "log" */
  readonly subresource?: string | undefined;
  readonly name?: string | undefined;
}

/** The permissions that the user lacks. Every user has the right to ask this. */
export async function missingPermissions(
  cluster: Cluster,
  wanted: readonly Permission[],
  signal?: AbortSignal,
): Promise<readonly Permission[]> {
  const allowed = await Promise.all(wanted.map((permission) => isAllowed(cluster, permission, signal)));
  return wanted.filter((_, index) => !allowed[index]);
}

/** Throws `forbidden` naming every permission that the user lacks. */
export async function requirePermissions(
  cluster: Cluster,
  wanted: readonly Permission[],
  signal?: AbortSignal,
): Promise<void> {
  const missing = await missingPermissions(cluster, wanted, signal);
  const [first] = missing;
  if (!first) return;
  const names = await Promise.all(missing.map((permission) => describe(cluster, permission)));
  throw new FabricError("forbidden", `expected the right to ${names.join("; to ")}`, {
    hint: await command(cluster, first),
  });
}

async function isAllowed(
  cluster: Cluster,
  { verb, subresource, namespace, name, ...kind }: Permission,
  signal?: AbortSignal,
): Promise<boolean> {
  const { plural: resource, apiVersion, namespaced } = await findResource(cluster, kind, signal);
  const review: V1SelfSubjectAccessReview = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: {
      resourceAttributes: {
        verb,
        resource,
        group: groupOf(apiVersion),
        ...(subresource === undefined ? {} : { subresource }),
        ...(name === undefined ? {} : { name }),
        ...(namespaced && namespace !== undefined ? { namespace } : {}),
      },
    },
  };
  const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
  const answer = (await cluster.call({
    method: "POST",
    path,
    body: review,
    signal,
    repeatable: true,
  })) as V1SelfSubjectAccessReview;
  return answer.status?.allowed ?? false;
}

async function describe(cluster: Cluster, permission: Permission): Promise<string> {
  const { namespace } = permission;
  return `${permission.verb} ${await resourceName(cluster, permission)}${namespace === undefined ? "" : ` in namespace ${namespace}`}`;
}

async function command(cluster: Cluster, permission: Permission): Promise<KubernetesCommand> {
  const { verb, namespace, subresource } = permission;
  const { plural, apiVersion } = await findResource(cluster, permission);
  const group = groupOf(apiVersion);
  return {
    kubectl: [
      "auth",
      "can-i",
      verb,
      `${plural}${group === "" ? "" : `.${group}`}`,
      ...(subresource === undefined ? [] : [`--subresource=${subresource}`]),
      ...(namespace === undefined ? [] : ["-n", namespace]),
    ],
  };
}

async function resourceName(cluster: Cluster, permission: Permission): Promise<string> {
  const { plural } = await findResource(cluster, permission);
  return permission.subresource === undefined ? plural : `${plural}/${permission.subresource}`;
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}
