import { FabricError } from "../../error.ts";
import { fieldsOf, itemsOf, ownerOf, podTemplateAt, type Path, type PodTemplate } from "./pod-template.ts";

/** A step of a path: a key, an index, or each entry of a list. */
type Step = string | number | { readonly each: true };

/** Where Pod templates stand in custom resources that only their owner knows. */
export type TemplatePath = readonly Step[];

/**
 * Reads a path in kubectl's words (JSONPath): `spec.peer.template`, `.spec.peers[*].template`, `{.spec['a.b'][0]}`.
 * Throws `usage` when it is none.
 */
export function templatePath(text: string): TemplatePath {
  const inner = /^\{(.*)\}$/.exec(text)?.[1] ?? text;
  const path = inner.replace(/^\$/, "").replace(/^(?=[\w-])/, ".");
  const pattern = /\.([\w-]+)|\[(\d+)\]|\[(\*)\]|\[(?:'([^']+)'|"([^"]+)")\]/y;
  const steps: Step[] = [];
  while (pattern.lastIndex < path.length) {
    const found = pattern.exec(path);
    if (found === null) break;
    const [, name, index, each, single, double] = found;
    steps.push(
      index !== undefined ? Number(index) : each !== undefined ? { each: true } : (name ?? single ?? double ?? ""),
    );
  }
  const read = pattern.lastIndex === path.length && steps.length > 0;
  if (read) return steps;
  throw new FabricError("usage", `expected a path such as spec.peers[*].template, found ${text}`);
}

/** The Pod templates in an object to which a path leads, also of a List's items. */
export function templatesBelow(object: unknown, path: TemplatePath): readonly PodTemplate[] {
  const items = itemsOf(object);
  if (items === undefined)
    return pathsBelow(object, path).map((found) => podTemplateAt(object, found, ownerOf(object)));
  return items.flatMap((item, index) =>
    templatesBelow(item, path).map(({ path: found, ...template }) => ({
      ...template,
      path: ["items", index, ...found],
    })),
  );
}

/** The paths of the Pod templates in an object to which a path leads. */
function pathsBelow(object: unknown, [step, ...rest]: TemplatePath): readonly Path[] {
  if (step === undefined) return Array.isArray(fieldsOf(fieldsOf(object)["spec"])["containers"]) ? [[]] : [];
  const below = (value: unknown, key: string | number): readonly Path[] =>
    pathsBelow(value, rest).map((path) => [key, ...path]);
  if (typeof step === "string") return Object.hasOwn(fieldsOf(object), step) ? below(fieldsOf(object)[step], step) : [];
  if (!Array.isArray(object)) return [];
  const entries = object.map((value: unknown, index) => ({ value, index }));
  return entries
    .filter(({ index }) => typeof step !== "number" || index === step)
    .flatMap(({ value, index }) => below(value, index));
}
