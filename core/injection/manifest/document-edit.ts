import type { Operation } from "fast-json-patch";
import { unescapePathComponent } from "fast-json-patch";
import { isCollection, isMap, isScalar, isSeq, type Document, type YAMLMap, type YAMLSeq } from "yaml";
import type { Path } from "./pod-template.ts";

/**
 * Makes one JSON patch operation (add, remove, replace) in a YAML document, below the path `base`. Other nodes keep their
 * comments and their layout. False when the operation's path leads through an alias or a merge key.
 */
export function editDocument(document: Document.Parsed, base: Path, operation: Operation): boolean {
  const { op, path } = operation;
  if (op !== "add" && op !== "remove" && op !== "replace") return false;
  const keys = path.split("/").slice(1).map(unescapePathComponent);
  const last = keys.pop();
  if (last === undefined) return false;
  const parent = document.getIn([...base, ...keys.map(index)], true);
  const value: unknown = op === "remove" ? undefined : document.createNode(operation.value);
  if (isSeq(parent)) return editList(parent, op, last, value);
  if (!isMap(parent)) return false;
  if (op === "remove") return parent.delete(last);
  // An alias as the value is replaced as a whole: its anchor stays as it is.
  parent.set(last, value);
  return true;
}

/** Keys of digits are indices of lists: no map of the injected fields has such keys. */
function index(key: string): string | number {
  return /^\d+$/.test(key) ? Number(key) : key;
}

function editList(list: YAMLSeq, op: "add" | "remove" | "replace", key: string, value: unknown): boolean {
  const place = key === "-" ? list.items.length : Number(key);
  if (op === "remove") return list.delete(place);
  if (op === "replace") {
    list.items[place] = replaced(list.items[place], value);
    return true;
  }
  if (place === 0) keepFirstComment(list);
  list.items.splice(place, 0, value);
  return true;
}

/** The library hangs a comment above the first entry on the list: it belongs to that entry, which is no longer the first. */
function keepFirstComment(list: YAMLSeq): void {
  const [first] = list.items;
  if (!list.commentBefore || !(isCollection(first) || isScalar(first))) return;
  first.commentBefore = list.commentBefore;
  list.commentBefore = null;
}

/** Puts the new value into the old node, so that equal parts keep their layout, quotes and comments. */
function replaced(before: unknown, after: unknown): unknown {
  if (isScalar(before) && isScalar(after)) {
    before.value = after.value;
    return before;
  }
  if (!isMap(before) || !isMap(after)) return after;
  for (const key of keysOf(before)) if (!after.has(key)) before.delete(key);
  for (const key of keysOf(after)) before.set(key, replaced(before.get(key, true), after.get(key, true)));
  return before;
}

function keysOf(map: YAMLMap): readonly unknown[] {
  return map.items.map(({ key }) => (isScalar(key) ? key.value : key));
}
