import type * as kube from "./client-node.ts";

/** The kinds that we use, by name. Any other kind is an object of unknown shape. */
interface KnownKinds {
  readonly Namespace: kube.V1Namespace;
  readonly Node: kube.V1Node;
  readonly Pod: kube.V1Pod;
  readonly Service: kube.V1Service;
  readonly Secret: kube.V1Secret;
  readonly ConfigMap: kube.V1ConfigMap;
  readonly PersistentVolumeClaim: kube.V1PersistentVolumeClaim;
  readonly PersistentVolume: kube.V1PersistentVolume;
  readonly ServiceAccount: kube.V1ServiceAccount;
  readonly Event: kube.CoreV1Event;
  readonly LimitRange: kube.V1LimitRange;
  readonly ResourceQuota: kube.V1ResourceQuota;
  readonly Deployment: kube.V1Deployment;
  readonly StatefulSet: kube.V1StatefulSet;
  readonly ReplicaSet: kube.V1ReplicaSet;
  readonly DaemonSet: kube.V1DaemonSet;
  readonly Job: kube.V1Job;
  readonly CronJob: kube.V1CronJob;
  readonly NetworkPolicy: kube.V1NetworkPolicy;
  readonly Ingress: kube.V1Ingress;
  readonly EndpointSlice: kube.V1EndpointSlice;
  readonly PodDisruptionBudget: kube.V1PodDisruptionBudget;
  readonly Role: kube.V1Role;
  readonly RoleBinding: kube.V1RoleBinding;
  readonly ClusterRole: kube.V1ClusterRole;
  readonly ClusterRoleBinding: kube.V1ClusterRoleBinding;
  readonly StorageClass: kube.V1StorageClass;
  readonly Lease: kube.V1Lease;
  readonly MutatingWebhookConfiguration: kube.V1MutatingWebhookConfiguration;
  readonly ValidatingWebhookConfiguration: kube.V1ValidatingWebhookConfiguration;
  readonly ValidatingAdmissionPolicy: kube.V1ValidatingAdmissionPolicy;
  readonly ValidatingAdmissionPolicyBinding: kube.V1ValidatingAdmissionPolicyBinding;
}

type KnownKind = keyof KnownKinds;

/** The type of an object of this kind. */
export type ObjectOf<K extends string> = K extends KnownKind ? KnownKinds[K] : UnknownObject;

/** An object of a kind that is not in our table, a custom resource for instance. */
interface UnknownObject extends kube.KubernetesObject {
  readonly [field: string]: unknown;
}

/** Where the API server keeps a kind. */
export interface Resource {
  readonly kind: string;
  readonly apiVersion: string;
  /** As in paths and RBAC rules: "statefulsets". */
  readonly plural: string;
  readonly namespaced: boolean;
}

const groups: Readonly<
  Record<string, { readonly namespaced: readonly KnownKind[]; readonly global: readonly KnownKind[] }>
> = {
  v1: {
    namespaced: [
      "Pod",
      "Service",
      "Secret",
      "ConfigMap",
      "PersistentVolumeClaim",
      "ServiceAccount",
      "Event",
      "LimitRange",
      "ResourceQuota",
    ],
    global: ["Namespace", "Node", "PersistentVolume"],
  },
  "apps/v1": { namespaced: ["Deployment", "StatefulSet", "ReplicaSet", "DaemonSet"], global: [] },
  "batch/v1": { namespaced: ["Job", "CronJob"], global: [] },
  "networking.k8s.io/v1": { namespaced: ["NetworkPolicy", "Ingress"], global: [] },
  "discovery.k8s.io/v1": { namespaced: ["EndpointSlice"], global: [] },
  "policy/v1": { namespaced: ["PodDisruptionBudget"], global: [] },
  "coordination.k8s.io/v1": { namespaced: ["Lease"], global: [] },
  "rbac.authorization.k8s.io/v1": {
    namespaced: ["Role", "RoleBinding"],
    global: ["ClusterRole", "ClusterRoleBinding"],
  },
  "storage.k8s.io/v1": { namespaced: [], global: ["StorageClass"] },
  "admissionregistration.k8s.io/v1": {
    namespaced: [],
    global: [
      "MutatingWebhookConfiguration",
      "ValidatingWebhookConfiguration",
      "ValidatingAdmissionPolicy",
      "ValidatingAdmissionPolicyBinding",
    ],
  },
};

/** The kinds that we use, so that no command has to ask the API server for its resources first. */
export const knownResources: ReadonlyMap<string, Resource> = new Map(
  Object.entries(groups).flatMap(([apiVersion, { namespaced, global }]) =>
    [...namespaced, ...global].map((kind) => [
      kind,
      { kind, apiVersion, plural: pluralOf(kind), namespaced: namespaced.includes(kind) },
    ]),
  ),
);

function pluralOf(kind: string): string {
  const name = kind.toLowerCase();
  if (name.endsWith("s")) return `${name}es`;
  return name.endsWith("y") ? `${name.slice(0, -1)}ies` : `${name}s`;
}

/** The path of a kind's objects, of one when a name is given. */
export function resourcePath(resource: Resource, namespace?: string, name?: string): string {
  const { apiVersion, plural, namespaced } = resource;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${within}/${plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}
