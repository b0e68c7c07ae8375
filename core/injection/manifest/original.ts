import { isDeepStrictEqual } from "node:util";
import jsonPatch, { escapePathComponent, unescapePathComponent, type Operation } from "fast-json-patch";
import { z } from "zod";
import { annotationKeys } from "../annotations.ts";
import { FabricError } from "../../error.ts";
import type { V1Pod } from "../../kubernetes/client-node.ts";
import { fieldsOf, valueAt } from "./pod-template.ts";

/*
 * A record of an injection's changes, so that they can be undone exactly. Entries of lists are identified by their contents rather
 * than by their place, so that a file may be edited between injection and ejection.
 */

/** Paths of the Pod's lists, with the container by its name: "/spec/containers/peer/env". */
const listPath = /^\/spec\/(?:volumes|initContainers|containers|securityContext\/supplementalGroups)$/;
const containerListPath = /^\/spec\/containers\/[^/]+\/(?:env|volumeMounts)$/;
const fieldPath =
  /^\/(?:spec\/(?:securityContext|hostUsers|runtimeClassName|resources\/(?:requests|limits)(?:\/(?:cpu|memory))?)|metadata\/annotations\/[^/]+)$/;

const listSchema = z.strictObject({
  path: z.string().refine((path) => listPath.test(path) || containerListPath.test(path)),
  /** Set when the injection made the list: the field was missing, or null. */
  created: z.enum(["absent", "null"]).optional(),
  /** Entries that were added; of named ones, only the identifying field. */
  added: z.array(z.unknown()).optional(),
  replaced: z.array(z.strictObject({ by: z.unknown(), was: z.unknown() })).optional(),
  /** Entries that were removed, with their places in the list as it was; ascending. */
  removed: z.array(z.strictObject({ index: z.int().nonnegative(), was: z.unknown() })).optional(),
});
const fieldSchema = z.strictObject({
  path: z.string().refine((path) => fieldPath.test(path)),
  /** Missing when the field was removed. */
  wrote: z.unknown().optional(),
  /** Missing when the field did not exist. */
  was: z.unknown().optional(),
});
const originalSchema = z.strictObject({ lists: z.array(listSchema), fields: z.array(fieldSchema) });

type ListChange = z.infer<typeof listSchema>;
type FieldChange = z.infer<typeof fieldSchema>;
export type Original = z.infer<typeof originalSchema>;

/** Lists whose added entries are identified by our names: they are ours even if other fields were changed. */
const namedListPath = /\/(volumes|initContainers|containers|volumeMounts)$/;

/** Records what the injection's operations change in a Pod. */
export function recordOriginal(pod: V1Pod, operations: readonly Operation[]): Original {
  const lists = new Map<string, ListChange>();
  const fields: FieldChange[] = [];
  let current: V1Pod = structuredClone(pod);
  for (const operation of operations) {
    const keys = operation.path.split("/").slice(1).map(unescapePathComponent);
    const parent = valueAt(current, keys.slice(0, -1).map(place));
    const last = keys.at(-1) ?? "";
    if (Array.isArray(parent)) {
      const path = named(current, keys.slice(0, -1));
      const change = lists.get(path) ?? { path };
      lists.set(path, inList(change, operation, parent, last));
    } else if (operation.op === "add" && Array.isArray(operation.value)) {
      const path = named(current, keys);
      const before = valueAt(current, keys.map(place));
      const added = operation.value.map((value: unknown) => identityOf(path, value));
      lists.set(path, { path, created: before === null ? "null" : "absent", added });
    } else {
      fields.push(inField(operation, fieldsOf(parent), last));
    }
    current = jsonPatch.applyPatch(current, structuredClone([operation]), true).newDocument;
  }
  return { lists: [...lists.values()], fields };
}

function inList(change: ListChange, operation: Operation, list: readonly unknown[], key: string): ListChange {
  const index = key === "-" ? list.length : Number(key);
  const { path, added = [], replaced = [], removed = [] } = change;
  switch (operation.op) {
    case "add":
      return { ...change, added: [...added, identityOf(path, operation.value)] };
    case "replace":
      return { ...change, replaced: [...replaced, { by: operation.value as unknown, was: list[index] }] };
    case "remove":
      // The injection removes from the end: the places are those of the list as it was.
      return { ...change, removed: [{ index, was: list[index] }, ...removed] };
    default:
      throw new FabricError("internal", `expected add, remove or replace, found ${operation.op}`);
  }
}

function inField(operation: Operation, parent: Readonly<Record<string, unknown>>, key: string): FieldChange {
  const change = { path: operation.path, ...("value" in operation ? { wrote: operation.value as unknown } : {}) };
  return Object.hasOwn(parent, key) ? { ...change, was: parent[key] } : change;
}

function identityOf(path: string, value: unknown): unknown {
  if (!namedListPath.test(path)) return value;
  const { name, mountPath } = fieldsOf(value);
  return path.endsWith("/volumeMounts") ? { mountPath } : { name };
}

/** "/spec/containers/1/env" as "/spec/containers/peer/env". */
function named(pod: V1Pod, keys: readonly string[]): string {
  const [spec, containers, index, ...rest] = keys;
  if (containers !== "containers" || index === undefined) return `/${keys.join("/")}`;
  const all = pod.spec?.containers ?? [];
  const name = all[Number(index)]?.name ?? "";
  if (all.findIndex((container) => container.name === name) !== Number(index)) {
    throw new FabricError("invalid", `expected containers with names of their own, found two called "${name}"`);
  }
  return `/${[spec, containers, escapePathComponent(name), ...rest].join("/")}`;
}

function place(key: string): string | number {
  return /^\d+$/.test(key) ? Number(key) : key;
}

/** The way back from an injected Pod. */
export interface Restoration {
  readonly operations: readonly Operation[];
  /** Entries and fields that somebody else has changed since, and that stay. */
  readonly kept: readonly string[];
}

/** Reads the record of an injected Pod; undefined without one. Throws `invalid` when the annotation is not a valid record. */
export function originalOf(pod: V1Pod): Original | undefined {
  const text = pod.metadata?.annotations?.[annotationKeys.original];
  if (text === undefined) return undefined;
  try {
    return originalSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new FabricError(
      "invalid",
      `expected the annotation ${annotationKeys.original} as it was written, found another`,
      {
        hint: "take the file from before the injection out of version control",
        cause,
      },
    );
  }
}

/** The operations that undo an injection, by its record. */
export function restore(pod: V1Pod, { lists, fields }: Original): Restoration {
  const kept: string[] = [];
  const operations = [
    ...lists.flatMap((change) => restoreList(pod, change, kept)),
    ...fields.flatMap((change) => restoreField(pod, change, kept)),
    { op: "remove" as const, path: `/metadata/annotations/${escapePathComponent(annotationKeys.original)}` },
  ];
  return { operations, kept };
}

/** A list in the present Pod, with its path; undefined when the list or its container is gone. */
function listAt(pod: V1Pod, path: string): { readonly path: string; readonly list: readonly unknown[] } | undefined {
  const keys = path.split("/").slice(1).map(unescapePathComponent);
  const isContainerList = containerListPath.test(path);
  const index = isContainerList ? (pod.spec?.containers ?? []).findIndex(({ name }) => name === keys[2]) : -1;
  const found = isContainerList ? keys.with(2, String(index)) : keys;
  const list = valueAt(pod, found.map(place));
  return Array.isArray(list) ? { path: `/${found.join("/")}`, list } : undefined;
}

function restoreList(pod: V1Pod, change: ListChange, kept: string[]): readonly Operation[] {
  const at = listAt(pod, change.path);
  if (at === undefined) {
    if (change.removed !== undefined || change.replaced !== undefined) kept.push(change.path);
    return [];
  }
  const { path, list } = at;
  const { created, added = [], replaced = [], removed = [] } = change;
  const taken = new Set<number>();
  const find = (recorded: unknown): number => {
    const index = list.findIndex((entry, position) => !taken.has(position) && matches(entry, recorded));
    if (index >= 0) taken.add(index);
    else kept.push(`${change.path} (${label(recorded)})`);
    return index;
  };
  const gone = added.map(find).filter((index) => index >= 0);
  const back = replaced.map(({ by, was }) => ({ index: find(by), was })).filter(({ index }) => index >= 0);
  const left = list.length - gone.length + removed.length;
  if (created !== undefined && left === 0) {
    return created === "null" ? [{ op: "replace", path, value: null }] : [{ op: "remove", path }];
  }
  return [
    ...back.map(({ index, was }): Operation => ({ op: "replace", path: `${path}/${index}`, value: was })),
    ...gone.toSorted((a, b) => b - a).map((index): Operation => ({ op: "remove", path: `${path}/${index}` })),
    ...insertions(path, list.length - gone.length, removed),
  ];
}

function insertions(path: string, length: number, removed: NonNullable<ListChange["removed"]>): readonly Operation[] {
  return removed.map(({ index, was }, done): Operation => {
    const position = Math.min(index, length + done);
    return { op: "add", path: `${path}/${position === length + done ? "-" : position}`, value: was };
  });
}

/** Whether an entry has all fields of the recorded one. */
function matches(entry: unknown, recorded: unknown): boolean {
  if (typeof recorded !== "object" || recorded === null || Array.isArray(recorded))
    return isDeepStrictEqual(entry, recorded);
  const fields = fieldsOf(entry);
  return Object.entries(recorded).every(([key, value]) => isDeepStrictEqual(fields[key], value));
}

function label(recorded: unknown): string {
  const { name, mountPath } = fieldsOf(recorded);
  const called = name ?? mountPath ?? recorded;
  return typeof called === "string" ? called : JSON.stringify(called);
}

function restoreField(pod: V1Pod, change: FieldChange, kept: string[]): readonly Operation[] {
  const { path, wrote } = change;
  const keys = path.split("/").slice(1).map(unescapePathComponent);
  const found = valueAt(pod, keys);
  if (!("wrote" in change)) return restoreRemoved(pod, change, keys, kept);
  if (found === undefined) return [];
  const ours = path === `/metadata/annotations/${escapePathComponent(annotationKeys.injected)}`;
  if (!ours && !isDeepStrictEqual(found, wrote)) {
    kept.push(path);
    return [];
  }
  return "was" in change ? [{ op: "replace", path, value: change.was }] : [{ op: "remove", path }];
}

function restoreRemoved(
  pod: V1Pod,
  { path, was }: FieldChange,
  keys: readonly string[],
  kept: string[],
): readonly Operation[] {
  const parent = valueAt(pod, keys.slice(0, -1));
  if (typeof parent === "object" && parent !== null && !Object.hasOwn(parent, keys.at(-1) ?? "")) {
    return [{ op: "add", path, value: was }];
  }
  kept.push(path);
  return [];
}
