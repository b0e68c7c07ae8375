import jsonPatch from "fast-json-patch";
import { FabricError } from "../error.ts";
import { joined, type KubernetesCommand, type Remedy } from "../remedy.ts";
import { type ApiError, isConflict, isNotFound } from "./api-error.ts";
import type { KubernetesObject } from "./client-node.ts";
import type { Cluster } from "./cluster.ts";
import { describeRef, fieldManager, pathOf, received, refOf, type ObjectRef, type WriteOptions } from "./objects.ts";
import { hasLabels, managedBy, managedByLabel } from "./ownership.ts";
import { toWire } from "./serialization.ts";

export interface Applied<T> {
  readonly object: T;
  readonly change: "created" | "updated" | "unchanged";
}

/** The result of `applyDryRun`. */
export interface DryRun<T> {
  readonly change: "create" | "update" | "none";
  /** The object as it would be; undefined when its namespace does not exist yet. */
  readonly object?: T | undefined;
  /** JSON pointers of what would differ ("/spec/replicas"); empty unless `change` is "update". */
  readonly fields: readonly string[];
}

/**
 * Server-side apply (KEP-555) as field manager `kubectl-fabric`: fields that we set before and leave out now are removed, fields of others
 * stay. The object must have the label app.kubernetes.io/managed-by=kubectl-fabric, and so must the one in the cluster.
 * Throws `conflict` when that one has not, or when another manager owns a field that we would change.
 */
export async function apply<T extends KubernetesObject>(
  cluster: Cluster,
  object: T,
  { signal, dryRun }: WriteOptions = {},
): Promise<Applied<T>> {
  const before = await readOwn(cluster, object, signal);
  const after = (await send(cluster, object, dryRun === true, signal)) as T & Wire;
  return { object: received(after) as T, change: changeOf(before, after) };
}

/** What `apply` would do, computed by the server with defaults and admission. Changes nothing. Throws as `apply` does. */
export async function applyDryRun<T extends KubernetesObject>(
  cluster: Cluster,
  object: T,
  signal?: AbortSignal,
): Promise<DryRun<T>> {
  const before = await readOwn(cluster, object, signal);
  try {
    const after = await send(cluster, object, true, signal);
    const fields = before === undefined ? [] : changedFields(before, after);
    const change = before === undefined ? "create" : fields.length > 0 ? "update" : "none";
    return { change, object: received(after) as T, fields };
  } catch (error) {
    // A missing namespace is no failure: it would be made before the object.
    const answer = isNotFound(error) ? error : error instanceof FabricError ? error.cause : undefined;
    if (before === undefined && isNotFound(answer) && answer.status.details?.kind === "namespaces") {
      return { change: "create", fields: [] };
    }
    throw error;
  }
}

/** JSON pointers of the fields in which two states of an object differ, without the server's own bookkeeping. */
export function changedFields(before: object, after: object): readonly string[] {
  return jsonPatch.compare(withoutBookkeeping(before), withoutBookkeeping(after)).map(({ path }) => path);
}

interface Wire {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>>; readonly resourceVersion?: string };
}

function withoutBookkeeping(object: object): object {
  const { metadata = {}, ...rest } = object as { readonly metadata?: Readonly<Record<string, unknown>> };
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

/** The object in the cluster; undefined when there is none. Throws `conflict` when it is not ours. */
async function readOwn(cluster: Cluster, object: KubernetesObject, signal?: AbortSignal): Promise<Wire | undefined> {
  const ref = refOf(object);
  if (!hasLabels(object, managedBy)) {
    throw new FabricError(
      "internal",
      `expected ${describeRef(ref)} to carry the label ${managedByLabel}=${fieldManager}`,
    );
  }
  try {
    const found = (await cluster.call({ method: "GET", path: await pathOf(cluster, ref, signal), signal })) as Wire;
    checkOurs(ref, found);
    return found;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * Throws `conflict` for an object that somebody else has made. `instead` is what the hint advises besides asking the owner. The hint never
 * advises to delete the object: it may hold keys, data or others' work, also in objects deleted with it (a StatefulSet's claims).
 */
export function checkOurs(ref: ObjectRef, { metadata }: Pick<KubernetesObject, "metadata">, instead?: Remedy): void {
  const owner = metadata?.labels?.[managedByLabel];
  if (owner === fieldManager) return;
  throw new FabricError(
    "conflict",
    `expected ${describeRef(ref)} not to exist or to be ours, found one ${owner ? `managed by ${owner}` : "made by somebody else"}`,
    {
      hint: joined([instead, ["ask its owner: ", writersOf(ref, ref.namespace), " tells who wrote it"]], ", or "),
    },
  );
}

/** Shows who has written an object. */
const writersOf = ({ kind, name }: ObjectRef, namespace: string | undefined): KubernetesCommand => {
  const where = namespace === undefined ? [] : ["-n", namespace];
  return { kubectl: ["get", kind.toLowerCase(), name, ...where, "-o", "yaml", "--show-managed-fields"] };
};

async function send(
  cluster: Cluster,
  object: KubernetesObject,
  dryRun: boolean,
  signal?: AbortSignal,
): Promise<object> {
  const ref = refOf(object);
  try {
    const answer = await cluster.call({
      method: "PATCH",
      path: await pathOf(cluster, ref, signal),
      query: { fieldManager, force: false, dryRun: dryRun ? "All" : undefined },
      // The media type says YAML; JSON is YAML.
      contentType: "application/apply-patch+yaml",
      body: toWire(object),
      signal,
      repeatable: true,
    });
    return answer as object;
  } catch (error) {
    throw isConflict(error) ? ownedByOthers(ref, error) : named(ref, error);
  }
}

function ownedByOthers(ref: ObjectRef, error: ApiError): FabricError {
  const causes = error.status.details?.causes ?? [];
  const fields = causes.flatMap(({ field }) => (field === undefined ? [] : [field]));
  const managers = new Set(causes.flatMap(({ message }) => /conflict with "([^"]+)"/.exec(message ?? "")?.[1] ?? []));
  if (managers.size === 0) return named(ref, error);
  const who = [...managers].join(", ");
  return new FabricError(
    "conflict",
    `${describeRef(ref)}: ${fields.join(", ")} ${fields.length > 1 ? "belong" : "belongs"} to ${who}`,
    {
      hint: [`undo what ${who} set, or change the spec to agree with it: `, writersOf(ref, ref.namespace ?? "default")],
      cause: error,
    },
  );
}

/** Puts the object's name before a refusal that does not contain it. Most do. */
function named(ref: ObjectRef, error: unknown): FabricError {
  if (!(error instanceof FabricError)) throw error;
  if (error.message.includes(ref.name)) return error;
  return new FabricError(error.code, `${describeRef(ref)}: ${error.message}`, { hint: error.hint, cause: error });
}

function changeOf(before: Wire | undefined, after: Wire): Applied<never>["change"] {
  if (before === undefined) return "created";
  return before.metadata?.resourceVersion === after.metadata?.resourceVersion ? "unchanged" : "updated";
}
