import { isDeepStrictEqual } from "node:util";

/** Paths of the fields of an object that one manager set, as conflicts name them: `.spec.containers[name="peer"].image`. */
type Fields = ReadonlySet<string>;

/** Who set which fields of an object; a name stands once for what it applied and once for what it wrote otherwise. */
export type Owners = ReadonlyMap<string, Fields>;

export interface Conflict {
  readonly field: string;
  readonly manager: string;
}

export interface Merged {
  readonly object: Tree;
  readonly owners: Owners;
}

export type Tree = Readonly<Record<string, unknown>>;

const applier = (manager: string): string => `${manager}/Apply`;
const updater = (manager: string): string => `${manager}/Update`;

/**
 * Server-side apply (KEP-555): fields that the applier named before and names no more are removed unless somebody else set them, too;
 * what others set stays. Pure. A field that another manager owns with another value is a conflict.
 */
export function mergeApplied(
  live: Tree | undefined,
  owners: Owners,
  applied: Tree,
  manager: string,
  force = false,
): Merged | { readonly conflicts: readonly Conflict[] } {
  const name = applier(manager);
  const wanted = fieldsOf(applied);
  const present = fieldsOf(live ?? {});
  const others = [...owners].filter(([owner]) => owner !== name);
  const conflicts = [...wanted].flatMap(([field, value]) => {
    if (!present.has(field) || isDeepStrictEqual(present.get(field), value)) return [];
    return others.filter(([, fields]) => fields.has(field)).map(([owner]) => ({ field, manager: nameOf(owner) }));
  });
  if (conflicts.length > 0 && !force) return { conflicts };
  const kept = new Map(others.map(([owner, fields]) => [owner, without(fields, conflicts)]));
  const abandoned = new Set(
    [...(owners.get(name) ?? [])].filter(
      (field) => !wanted.has(field) && ![...kept.values()].some((fields) => covers(fields, field)),
    ),
  );
  const merged = merge(pruned(live ?? {}, abandoned), applied) as Tree;
  return { object: merged, owners: new Map([...kept, [name, new Set(wanted.keys())]]) };
}

/** What a create, an update or a patch of any other kind leaves behind: whoever changed a field last has it. */
export function ownersAfterWrite(before: Tree | undefined, after: Tree, owners: Owners, manager: string): Owners {
  const [old, now] = [fieldsOf(before ?? {}), fieldsOf(after)];
  const changed = new Set(
    [...now].flatMap(([field, value]) => (old.has(field) && isDeepStrictEqual(old.get(field), value) ? [] : [field])),
  );
  const rest = [...owners].map(
    ([owner, fields]) =>
      [owner, new Set([...fields].filter((field) => now.has(field) && !changed.has(field)))] as const,
  );
  const name = updater(manager);
  return new Map([...rest, [name, new Set([...(new Map(rest).get(name) ?? []), ...changed])]]);
}

/** `managedFields` as the API server shows them. */
export function managedFields(owners: Owners, apiVersion: string): readonly object[] {
  return [...owners]
    .filter(([, fields]) => fields.size > 0)
    .map(([owner, fields]) => ({
      manager: nameOf(owner),
      operation: owner.slice(owner.lastIndexOf("/") + 1),
      apiVersion,
      fieldsType: "FieldsV1",
      fieldsV1: Object.fromEntries([...fields].map((field) => [`f:${field}`, {}])),
    }));
}

const nameOf = (owner: string): string => owner.slice(0, owner.lastIndexOf("/"));

function without(fields: Fields, conflicts: readonly Conflict[]): Fields {
  return new Set([...fields].filter((field) => !conflicts.some((conflict) => conflict.field === field)));
}

/** An item of a list stays as long as anything in it is somebody's. */
function covers(fields: Fields, field: string): boolean {
  return fields.has(field) || (field.endsWith("]") && [...fields].some((other) => other.startsWith(field)));
}

/** Lists that are maps, and the fields that are their keys (x-kubernetes-list-map-keys of the OpenAPI schema); other lists are one value. */
const listKeys: Readonly<Record<string, readonly string[]>> = {
  containers: ["name"],
  initContainers: ["name"],
  volumes: ["name"],
  env: ["name"],
  volumeMounts: ["mountPath"],
  imagePullSecrets: ["name"],
  webhooks: ["name"],
  matchConditions: ["name"],
  topologySpreadConstraints: ["topologyKey", "whenUnsatisfiable"],
};

/** Maps that are one value (x-kubernetes-map-type: atomic). */
const atomicMaps: ReadonlySet<string> = new Set([
  "selector",
  "podSelector",
  "namespaceSelector",
  "objectSelector",
  "labelSelector",
  "nodeSelector",
  "fieldRef",
  "resourceFieldRef",
  "secretKeyRef",
  "configMapKeyRef",
  "roleRef",
]);

/** The server's own part of the metadata belongs to nobody. */
const identifying: ReadonlySet<string> = new Set([
  ".apiVersion",
  ".kind",
  ".metadata.name",
  ".metadata.namespace",
  ".metadata.uid",
  ".metadata.generation",
  ".metadata.resourceVersion",
  ".metadata.creationTimestamp",
  ".metadata.deletionTimestamp",
  ".metadata.managedFields",
]);

/** The smallest parts of an object that can have an owner, with their values. */
function fieldsOf(value: unknown, path = "", name = ""): ReadonlyMap<string, unknown> {
  if (identifying.has(path)) return new Map();
  const keys = keysOf(name, value);
  if (keys) {
    const items = (value as readonly Tree[]).flatMap((item) => {
      const itemPath = `${path}${selectorOf(item, keys)}`;
      return [[itemPath, ""] as const, ...fieldsOf(item, itemPath)];
    });
    return new Map(items);
  }
  if (!isGranular(value, name)) return new Map([[path, value]]);
  const members = Object.entries(value);
  if (members.length === 0) return path === "" ? new Map() : new Map([[path, value]]);
  return new Map(members.flatMap(([key, member]) => [...fieldsOf(member, `${path}.${key}`, key)]));
}

function merge(live: unknown, applied: unknown, name = ""): unknown {
  const keys = keysOf(name, applied);
  if (keys && keysOf(name, live)) {
    const [before, wanted] = [live as readonly Tree[], applied as readonly Tree[]];
    const same = (item: Tree) => (other: Tree) => selectorOf(item, keys) === selectorOf(other, keys);
    const merged = before.map((item) => merge(item, wanted.find(same(item)) ?? {}));
    return [...merged, ...wanted.filter((item) => !before.some(same(item)))];
  }
  if (!isGranular(live, name) || !isGranular(applied, name)) return applied;
  const members = Object.entries(applied).map(([key, member]) => [
    key,
    Object.hasOwn(live, key) ? merge(live[key], member, key) : member,
  ]);
  return { ...live, ...Object.fromEntries(members) };
}

function pruned(value: unknown, abandoned: Fields, path = "", name = ""): unknown {
  const keys = keysOf(name, value);
  if (keys) {
    return (value as readonly Tree[]).flatMap((item) => {
      const itemPath = `${path}${selectorOf(item, keys)}`;
      if (abandoned.has(itemPath)) return [];
      const key = Object.fromEntries(keys.flatMap((part) => (part in item ? [[part, item[part]]] : [])));
      return [{ ...key, ...(pruned(item, abandoned, itemPath) as Tree) }];
    });
  }
  if (!isGranular(value, name)) return value;
  const members = Object.entries(value).flatMap(([key, member]) => {
    const memberPath = `${path}.${key}`;
    const isLeaf = !keysOf(key, member) && !(isGranular(member, key) && Object.keys(member).length > 0);
    return isLeaf && abandoned.has(memberPath) ? [] : [[key, pruned(member, abandoned, memberPath, key)]];
  });
  return Object.fromEntries(members);
}

function isGranular(value: unknown, name: string): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !atomicMaps.has(name);
}

function keysOf(name: string, value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  if (name !== "ports") return listKeys[name];
  return value.some((item: Tree) => "containerPort" in item) ? ["containerPort", "protocol"] : ["port", "protocol"];
}

function selectorOf(item: Tree, keys: readonly string[]): string {
  // The schema's own default.
  const keyed = { protocol: "TCP", ...item } as Tree;
  return `[${keys.map((key) => `${key}=${JSON.stringify(keyed[key])}`).join(",")}]`;
}
