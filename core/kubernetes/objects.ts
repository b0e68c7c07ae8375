import type { ApiRequest, Cluster } from "./cluster.ts";
import { isConflict, isExpired, isNotFound } from "./api-error.ts";
import { findResource } from "./discovery.ts";
import { knownResources, resourcePath, type ObjectOf, type Resource } from "./resources.ts";
import { fromWire, toWire } from "./serialization.ts";
import type { KubernetesObject } from "./client-node.ts";

/** Names one object. `apiVersion` is needed only for kinds that are not in our table. */
export interface ObjectRef<K extends string = string> {
  readonly kind: K;
  readonly apiVersion?: string | undefined;
  /** The context's namespace unless given; ignored for kinds without namespaces. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** Names the objects of a kind, in one namespace or in all. */
export interface Selection<K extends string = string> {
  readonly kind: K;
  readonly apiVersion?: string | undefined;
  /** `undefined` is every namespace. */
  readonly namespace?: string | undefined;
  /** Labels that must be equal, or a selector in kubectl's syntax. */
  readonly labels?: Readonly<Record<string, string>> | string | undefined;
  /** "involvedObject.name=peer0" */
  readonly fields?: string | undefined;
}

export const fieldManager = "kubectl-fabric";

/** Items of a page of `list`. */
const pageObjects = 500;

/** Reads an object; undefined when it is not there. */
export async function get<K extends string>(
  cluster: Cluster,
  ref: ObjectRef<K>,
  signal?: AbortSignal,
): Promise<ObjectOf<K> | undefined> {
  const path = await pathOf(cluster, ref, signal);
  try {
    return received(await cluster.call({ method: "GET", path, signal })) as ObjectOf<K>;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Reads all objects of a selection, page by page. Never returns part of them: it throws. */
export async function list<K extends string>(
  cluster: Cluster,
  selection: Selection<K>,
  signal?: AbortSignal,
): Promise<readonly ObjectOf<K>[]> {
  return (await listWithVersion(cluster, selection, signal)).items;
}

/** A list with its resourceVersion, from which a watch can go on. */
export async function listWithVersion<K extends string>(
  cluster: Cluster,
  selection: Selection<K>,
  signal?: AbortSignal,
): Promise<{ readonly items: readonly ObjectOf<K>[]; readonly resourceVersion: string }> {
  for (let attempt = 1; ; attempt++) {
    const items: ObjectOf<K>[] = [];
    let resourceVersion = "";
    try {
      for await (const page of listPages(cluster, selection, { signal })) {
        items.push(...page.items);
        ({ resourceVersion } = page);
      }
      return { items, resourceVersion };
    } catch (error) {
      if (!isExpired(error) || attempt === mostListings) throw error;
    }
  }
}

/** The API server keeps the version of a list for five minutes (etcd's compaction): a list that takes longer begins again. */
const mostListings = 3;

export interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export interface PageOptions {
  readonly signal?: AbortSignal | undefined;
  /** Items of a page; 500 unless given. */
  readonly limit?: number | undefined;
}

/**
 * The objects of a selection one page at a time, so that the memory of one page is enough. Throws when it cannot read all pages:
 * ApiError 410 when their version is too old by now. It does not begin again then, as the caller may have used some pages.
 */
export async function* listPages<K extends string>(
  cluster: Cluster,
  selection: Selection<K>,
  { signal, limit = pageObjects }: PageOptions = {},
): AsyncGenerator<Page<ObjectOf<K>>, void, void> {
  const resource = await findResource(cluster, selection, signal);
  const path = resourcePath(resource, selection.namespace);
  for (let next: string | undefined; ;) {
    const page = (await cluster.call({
      method: "GET",
      path,
      query: { ...selectionQuery(selection), limit, continue: next },
      signal,
    })) as ListPage;
    // The items of a list carry neither kind nor apiVersion.
    const items = (page.items ?? []).map(
      (item) => received({ apiVersion: resource.apiVersion, kind: resource.kind, ...item }) as ObjectOf<K>,
    );
    yield { items, resourceVersion: page.metadata?.resourceVersion ?? "" };
    next = page.metadata?.continue || undefined;
    if (next === undefined) return;
  }
}

interface ListPage {
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
  readonly items?: readonly object[] | null;
}

/** The query parameters of a selection. */
export function selectionQuery({ labels, fields }: Selection): Readonly<Record<string, string | undefined>> {
  const labelSelector =
    labels === undefined || typeof labels === "string"
      ? labels
      : Object.entries(labels)
          .map(([name, value]) => `${name}=${value}`)
          .join(",");
  return { labelSelector, fieldSelector: fields };
}

/** Creates an object. Throws ApiError `conflict` when it exists already. It may have `generateName` instead of a name. */
export async function create<T extends KubernetesObject>(
  cluster: Cluster,
  object: T,
  options: WriteOptions & Pick<ApiRequest, "repeatable"> = {},
): Promise<T> {
  const resource = await findResource(cluster, kindOf(object), options.signal);
  const namespace = object.metadata?.namespace ?? cluster.namespace;
  const answer = await cluster.call({
    method: "POST",
    path: resourcePath(resource, namespace),
    query: { fieldManager, dryRun: options.dryRun ? "All" : undefined },
    body: toWire(object),
    signal: options.signal,
    repeatable: options.dryRun === true || options.repeatable,
  });
  return received(answer) as T;
}

/** Creates an object, or reads the existing one. That may be its own, if the answer to the first attempt was lost. */
export async function createOrGet<T extends KubernetesObject>(
  cluster: Cluster,
  object: T,
  options: WriteOptions = {},
): Promise<{ readonly object: T; readonly created: boolean }> {
  try {
    return { object: await create(cluster, object, { ...options, repeatable: true }), created: true };
  } catch (error) {
    if (!isConflict(error)) throw error;
    const path = await pathOf(cluster, refOf(object), options.signal);
    return {
      object: received(await cluster.call({ method: "GET", path, signal: options.signal })) as T,
      created: false,
    };
  }
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** The server checks the request and answers, but stores nothing. */
  readonly dryRun?: boolean | undefined;
}

export interface RemoveOptions extends WriteOptions {
  /** Removes only the object with this uid. Throws `conflict` when there is a later one of the same name. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** What happens to dependents; "Background" unless given. */
  readonly propagation?: "Foreground" | "Background" | "Orphan" | undefined;
  readonly gracePeriodSeconds?: number | undefined;
}

/** Asks for an object's removal. True when there was one. It may take a while to disappear: see `gone`. */
export async function remove(cluster: Cluster, ref: ObjectRef, options: RemoveOptions = {}): Promise<boolean> {
  const { uid, resourceVersion, propagation = "Background", gracePeriodSeconds, dryRun, signal } = options;
  const path = await pathOf(cluster, ref, signal);
  const body = {
    kind: "DeleteOptions",
    apiVersion: "v1",
    propagationPolicy: propagation,
    gracePeriodSeconds,
    preconditions: uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion },
    dryRun: dryRun ? ["All"] : undefined,
  };
  let repeated = false;
  try {
    const repeatable = uid !== undefined;
    await cluster.call({ method: "DELETE", path, body, signal, repeatable, onRepeat: () => (repeated = true) });
    return true;
  } catch (error) {
    if (isNotFound(error)) return repeated;
    // The first request arrived, but its answer was lost. The second conflicts: this object is gone, or is being deleted.
    const goes = async () => {
      const found = await get(cluster, ref, signal);
      return found?.metadata?.uid !== uid || found?.metadata?.deletionTimestamp !== undefined;
    };
    if (repeated && isConflict(error) && (await goes())) return true;
    throw error;
  }
}

/** A change to part of an object. */
export type Patch =
  | { readonly type: "merge"; readonly patch: object }
  | { readonly type: "strategic"; readonly patch: object }
  | { readonly type: "json"; readonly patch: readonly object[] };

const patchTypes = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const;

/** Changes part of an object; fields have their JSON names. Throws ApiError `not-found` when it does not exist. */
export async function patch<K extends string>(
  cluster: Cluster,
  ref: ObjectRef<K>,
  change: Patch,
  options: WriteOptions = {},
): Promise<ObjectOf<K>> {
  const answer = await cluster.call({
    method: "PATCH",
    path: await pathOf(cluster, ref, options.signal),
    query: { fieldManager, dryRun: options.dryRun ? "All" : undefined },
    contentType: patchTypes[change.type],
    body: toWire(change.patch),
    signal: options.signal,
  });
  return received(answer) as ObjectOf<K>;
}

/** The path of one object. */
export async function pathOf(cluster: Cluster, ref: ObjectRef, signal?: AbortSignal): Promise<string> {
  const resource = await findResource(cluster, ref, signal);
  return resourcePath(resource, ref.namespace ?? cluster.namespace, ref.name);
}

/** The reference of an object. */
export function refOf(object: KubernetesObject): ObjectRef {
  const { kind, apiVersion } = kindOf(object);
  return { kind, apiVersion, namespace: object.metadata?.namespace, name: object.metadata?.name ?? "" };
}

/** "StatefulSet org1/peer0" */
export function describeRef({ kind, namespace, name }: ObjectRef): string {
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** An object's kind and apiVersion. Kinds of our table need no apiVersion. */
function kindOf(object: KubernetesObject): { readonly kind: string; readonly apiVersion: string | undefined } {
  return { kind: object.kind ?? "", apiVersion: object.apiVersion };
}

/** Parses at the boundary: the server has checked the object against its kind. */
export function received(json: unknown): unknown {
  const { kind, apiVersion } = json as { readonly kind?: string; readonly apiVersion?: string };
  return fromWire(json, isBuiltIn(kind, apiVersion));
}

function isBuiltIn(kind = "", apiVersion?: string): boolean {
  const known: Resource | undefined = knownResources.get(kind);
  return known !== undefined && known.apiVersion === apiVersion;
}
