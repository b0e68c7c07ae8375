import type { Operation } from "fast-json-patch";
import { unescapePathComponent } from "fast-json-patch";
import { isCollection, isMap, isScalar, isSeq, type Document, type YAMLMap, type YAMLSeq } from "yaml";
import { hasKey, pairOf } from "./kubernetes-yaml.ts";
import type { Path } from "./pod-template.ts";

/**
 * Makes one JSON patch operation (add, remove, replace) in a YAML document, below the path `base`. Other nodes keep their
 * comments and their layout. Of two equal keys the last one is changed, which is the one that counts. False when the operation's path
 * leads through an alias or a merge key.
 */
export function editDocument(document: Document.Parsed, base: Path, operation: Operation): boolean {
  const { op, path } = operation;
  if (op !== "add" && op !== "remove" && op !== "replace") return false;
  const keys = path.split("/").slice(1).map(unescapePathComponent);
  const last = keys.pop();
  if (last === undefined) return false;
  const parent = nodeAt(document, [...base, ...keys]);
  const value: unknown = op === "remove" ? undefined : document.createNode(operation.value);
  if (isSeq(parent)) return editList(parent, op, last, value);
  if (!isMap(parent)) return false;
  if (op === "remove") return removeKey(parent, last);
  // An alias as the value is replaced as a whole: its anchor stays as it is.
  const pair = pairOf(parent, last);
  if (pair === undefined) parent.items.push(document.createPair(last, value));
  else pair.value = value;
  return true;
}

function nodeAt(document: Document.Parsed, path: Path): unknown {
  return path.reduce<unknown>((node, key) => {
    if (isSeq(node)) return node.items[Number(key)];
    return isMap(node) ? pairOf(node, key)?.value : undefined;
  }, document.contents);
}

/** Removes all of equal keys: of what is left, the last would count. */
function removeKey(map: YAMLMap, key: string): boolean {
  const left = map.items.filter((pair) => !hasKey(pair, key));
  const removed = left.length < map.items.length;
  map.items = left;
  return removed;
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
  // Each key once, the one that counts.
  before.items = before.items.filter((pair) => isScalar(pair.key) && pairOf(before, String(pair.key.value)) === pair);
  for (const key of keysOf(before)) if (!after.has(key)) removeKey(before, key);
  for (const key of keysOf(after)) {
    const [old, now] = [pairOf(before, key), pairOf(after, key)];
    if (old === undefined && now !== undefined) before.items.push(now);
    else if (old !== undefined) old.value = replaced(old.value, now?.value);
  }
  return before;
}

function keysOf(map: YAMLMap): readonly string[] {
  return map.items.map(({ key }) => String(isScalar(key) ? key.value : key));
}
