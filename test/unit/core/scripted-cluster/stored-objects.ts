import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { alreadyExists, ApiRefusal, conflict, immutableClaim, notFound, terminating } from "./api-refusal.ts";
import { managedFields, mergeApplied, ownersAfterWrite, type Owners, type Tree } from "./server-side-apply.ts";

/** An object as it is on the wire. */
export interface WireObject extends Tree {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: WireMetadata;
}

export interface WireMetadata {
  readonly name: string;
  readonly generateName?: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
}

/** Where a kind is kept. */
export interface ServedResource {
  readonly group: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** What happened to an object; `before` is undefined when it was made, and `removed` tells that it is gone. */
export interface Change {
  readonly version: number;
  readonly resource: ServedResource;
  readonly object: WireObject;
  readonly before: WireObject | undefined;
  readonly removed: boolean;
}

interface Stored {
  readonly object: WireObject;
  readonly owners: Owners;
}

const served = (apiVersion: string, namespaced: boolean, kinds: Readonly<Record<string, string>>): ServedResource[] =>
  Object.entries(kinds).map(([plural, kind]) => ({
    group: apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "",
    apiVersion,
    kind,
    plural,
    namespaced,
  }));

/** What of Kubernetes' own this server serves (`kubectl api-resources`). */
const servedResources: readonly ServedResource[] = [
  ...served("v1", false, { namespaces: "Namespace", nodes: "Node", persistentvolumes: "PersistentVolume" }),
  ...served("v1", true, {
    pods: "Pod",
    services: "Service",
    secrets: "Secret",
    configmaps: "ConfigMap",
    persistentvolumeclaims: "PersistentVolumeClaim",
    serviceaccounts: "ServiceAccount",
    events: "Event",
    resourcequotas: "ResourceQuota",
  }),
  ...served("apps/v1", true, { deployments: "Deployment", statefulsets: "StatefulSet" }),
  ...served("batch/v1", true, { cronjobs: "CronJob" }),
  ...served("networking.k8s.io/v1", true, { networkpolicies: "NetworkPolicy" }),
  ...served("storage.k8s.io/v1", false, { storageclasses: "StorageClass" }),
  ...served("policy/v1", true, { poddisruptionbudgets: "PodDisruptionBudget" }),
  ...served("rbac.authorization.k8s.io/v1", true, { roles: "Role", rolebindings: "RoleBinding" }),
  ...served("rbac.authorization.k8s.io/v1", false, {
    clusterroles: "ClusterRole",
    clusterrolebindings: "ClusterRoleBinding",
  }),
  ...served("admissionregistration.k8s.io/v1", false, {
    mutatingwebhookconfigurations: "MutatingWebhookConfiguration",
    validatingadmissionpolicies: "ValidatingAdmissionPolicy",
    validatingadmissionpolicybindings: "ValidatingAdmissionPolicyBinding",
  }),
];

export function servedResource(match: Partial<ServedResource>): ServedResource | undefined {
  const wanted = Object.entries(match);
  return servedResources.find((resource) =>
    wanted.every(([field, value]) => resource[field as keyof ServedResource] === value),
  );
}

/** The objects of a cluster in memory, with the rules of Kubernetes about them. Refusals are thrown as the API server words them. */
export class StoredObjects {
  readonly #objects = new Map<string, Stored>();
  readonly #changes: Change[] = [];
  readonly #listeners = new Set<(change: Change) => void>();
  #version = 1;

  get version(): number {
    return this.#version;
  }

  /** All that has happened, first to last. */
  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** Tells of every change from now on, until the function that it gives is called. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  find({ plural, group }: ServedResource, namespace: string | undefined, name: string): WireObject | undefined {
    return this.#objects.get(keyOf(plural, group, namespace, name))?.object;
  }

  read(resource: ServedResource, namespace: string | undefined, name: string): WireObject {
    const found = this.find(resource, namespace, name);
    if (!found) throw notFound(resource.plural, resource.group, name);
    return found;
  }

  /** In the order of their keys, as etcd gives them. */
  list({ apiVersion, kind }: ServedResource, namespace?: string): readonly WireObject[] {
    return this.all().filter(
      (object) =>
        object.kind === kind &&
        object.apiVersion === apiVersion &&
        (namespace === undefined || object.metadata.namespace === namespace),
    );
  }

  all(): readonly WireObject[] {
    return [...this.#objects].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, { object }]) => object);
  }

  create(resource: ServedResource, posted: WireObject, manager: string, dryRun = false): WireObject {
    const { name, namespace } = posted.metadata;
    this.#checkNamespace(resource, namespace, name);
    if (this.find(resource, namespace, name)) throw alreadyExists(resource.plural, resource.group, name);
    const object = defaulted(posted);
    return this.#store(resource, undefined, object, ownersAfterWrite(undefined, posted, new Map(), manager), dryRun);
  }

  apply(
    resource: ServedResource,
    applied: WireObject,
    manager: string,
    { force = false, dryRun = false } = {},
  ): WireObject {
    const { name, namespace } = applied.metadata;
    const before = this.#objects.get(keyOf(resource.plural, resource.group, namespace, name));
    if (!before) this.#checkNamespace(resource, namespace, name);
    const merged = mergeApplied(before?.object, before?.owners ?? new Map(), applied, manager, force);
    if ("conflicts" in merged) throw applyConflict(merged.conflicts, resource);
    const object = before ? (merged.object as WireObject) : defaulted(merged.object as WireObject);
    return this.#store(resource, before, object, merged.owners, dryRun);
  }

  /** A change by anything but server-side apply: a controller, `kubectl edit`. */
  update(
    resource: ServedResource,
    namespace: string | undefined,
    name: string,
    change: (object: WireObject) => WireObject,
    manager: string,
    dryRun = false,
  ): WireObject {
    const before = this.#objects.get(keyOf(resource.plural, resource.group, namespace, name));
    if (!before) throw notFound(resource.plural, resource.group, name);
    const object = change(before.object);
    const owners = ownersAfterWrite(before.object, object, before.owners, manager);
    return this.#store(resource, before, object, owners, dryRun);
  }

  /** Asks for a removal. A namespace and what has finalizers only begin to go. */
  remove(
    resource: ServedResource,
    namespace: string | undefined,
    name: string,
    { uid, resourceVersion }: { readonly uid?: string; readonly resourceVersion?: string } = {},
    dryRun = false,
  ): WireObject {
    const found = this.read(resource, namespace, name);
    for (const [what, wanted, has] of [
      ["UID", uid, found.metadata.uid],
      ["ResourceVersion", resourceVersion, found.metadata.resourceVersion],
    ] as const) {
      if (wanted === undefined || wanted === has) continue;
      const why = `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${has}`;
      throw conflict(resource.plural, resource.group, name, why);
    }
    if (dryRun) return found;
    if (resource.kind !== "Namespace" && !found.metadata.finalizers?.length) {
      this.erase(resource, namespace, name);
      return found;
    }
    if (found.metadata.deletionTimestamp !== undefined) return found;
    const ending = {
      ...found,
      metadata: { ...found.metadata, deletionTimestamp: new Date().toISOString() },
      ...(resource.kind === "Namespace" ? { status: { phase: "Terminating" } } : {}),
    };
    return this.#put(resource, ending, this.#ownersOf(resource, namespace, name), found);
  }

  /** Takes an object away, as what finishes a removal does. */
  erase(resource: ServedResource, namespace: string | undefined, name: string): void {
    const key = keyOf(resource.plural, resource.group, namespace, name);
    const found = this.#objects.get(key)?.object;
    if (!found) return;
    this.#objects.delete(key);
    const object = { ...found, metadata: { ...found.metadata, resourceVersion: String(++this.#version) } };
    this.#tell({ version: this.#version, resource, object, before: found, removed: true });
  }

  #checkNamespace({ namespaced, plural, group }: ServedResource, namespace: string | undefined, name: string): void {
    if (!namespaced) return;
    const found = this.#objects.get(keyOf("namespaces", "", undefined, namespace ?? ""))?.object;
    if (!found) throw notFound("namespaces", "", namespace ?? "");
    if (found.metadata.deletionTimestamp !== undefined) throw terminating(plural, group, name, namespace ?? "");
  }

  #ownersOf({ plural, group }: ServedResource, namespace: string | undefined, name: string): Owners {
    return this.#objects.get(keyOf(plural, group, namespace, name))?.owners ?? new Map();
  }

  #store(
    resource: ServedResource,
    before: Stored | undefined,
    object: WireObject,
    owners: Owners,
    dryRun: boolean,
  ): WireObject {
    if (before && isDeepStrictEqual(bare(before.object), bare(object)) && isDeepStrictEqual(before.owners, owners)) {
      return before.object;
    }
    if (before && object.kind === "PersistentVolumeClaim") checkClaim(before.object, object);
    const specChanged = before !== undefined && !isDeepStrictEqual(before.object["spec"], object["spec"]);
    const { generation = 0 } = object.metadata;
    const counted = {
      ...object.metadata,
      generation: before === undefined || specChanged ? generation + 1 : generation,
    };
    const next = resource.group === "apps" ? { ...object, metadata: counted } : object;
    if (dryRun) return shown(next, owners, before?.object.metadata.resourceVersion);
    return this.#put(resource, next, owners, before?.object);
  }

  #put(resource: ServedResource, object: WireObject, owners: Owners, before: WireObject | undefined): WireObject {
    const { name, namespace } = object.metadata;
    const stored = shown(object, owners, String(++this.#version));
    this.#objects.set(keyOf(resource.plural, resource.group, namespace, name), { object: stored, owners });
    this.#tell({ version: this.#version, resource, object: stored, before, removed: false });
    return stored;
  }

  #tell(change: Change): void {
    this.#changes.push(change);
    for (const listener of this.#listeners) listener(change);
  }
}

/**
 * ValidatePersistentVolumeClaimUpdate (pkg/apis/core/validation): a claim gets its volume once, a class where it had none, and grows only
 * when it has its volume.
 */
function checkClaim(before: WireObject, after: WireObject): void {
  const fixed = ({ spec }: WireObject, { spec: old }: WireObject) => {
    const { volumeName, storageClassName, resources, ...rest } = spec as Tree;
    const { volumeName: hadVolume, storageClassName: hadClass } = old as Tree;
    return {
      ...rest,
      ...(hadVolume === undefined ? { resources } : { volumeName }),
      ...(hadClass === undefined ? {} : { storageClassName }),
    };
  };
  if (!isDeepStrictEqual(fixed(before, before), fixed(after, before))) throw immutableClaim(before.metadata.name);
}

const keyOf = (plural: string, group: string, namespace: string | undefined, name: string): string =>
  [group, plural, namespace ?? "", name].join("/");

function shown(object: WireObject, owners: Owners, resourceVersion: string | undefined): WireObject {
  const metadata = { ...object.metadata, managedFields: managedFields(owners, object.apiVersion) };
  return { ...object, metadata: resourceVersion === undefined ? metadata : { ...metadata, resourceVersion } };
}

function bare(object: WireObject): object {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, managedFields: undefined } };
}

/** What the server adds to a new object, for the kinds where it matters here. */
function defaulted(object: WireObject): WireObject {
  const metadata = {
    ...object.metadata,
    uid: randomUUID(),
    creationTimestamp: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
  };
  const spec = object["spec"] as Tree | undefined;
  switch (object.kind) {
    case "Namespace": {
      const labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name };
      return {
        ...object,
        metadata: { ...metadata, labels },
        spec: { finalizers: ["kubernetes"] },
        status: { phase: "Active" },
      };
    }
    case "Service":
      return {
        ...object,
        metadata,
        spec: { type: "ClusterIP", sessionAffinity: "None", clusterIP: "10.0.0.1", ...spec },
        status: { loadBalancer: {} },
      };
    case "PersistentVolumeClaim":
      return { ...object, metadata, spec: { volumeMode: "Filesystem", ...spec }, status: { phase: "Pending" } };
    case "StatefulSet":
      return {
        ...object,
        metadata,
        spec: { podManagementPolicy: "OrderedReady", revisionHistoryLimit: 10, ...spec },
        status: { replicas: 0 },
      };
    default:
      return { ...object, metadata };
  }
}

function applyConflict(
  conflicts: readonly { readonly field: string; readonly manager: string }[],
  { apiVersion }: ServedResource,
): ApiRefusal {
  const causes = conflicts.map(({ field, manager }) => ({
    reason: "FieldManagerConflict",
    message: `conflict with "${manager}" using ${apiVersion}`,
    field,
  }));
  const count = causes.length;
  const list = causes.map(({ message, field }) => `${message}: ${field}`).join("\n");
  const message = `Apply failed with ${count} conflict${count === 1 ? "" : "s"}: ${list}`;
  return new ApiRefusal(409, "Conflict", message, { causes });
}
