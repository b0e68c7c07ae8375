import type { V1Pod } from "../../kubernetes/client-node.ts";

/** The path of a value in an object: keys of maps and indices of lists. */
export type Path = readonly (string | number)[];

/** A Pod, or what Pods are made from, within an object of any kind. */
export interface PodTemplate {
  readonly path: Path;
  /** The Pod as the API server would send it to the webhook. */
  readonly pod: V1Pod;
  /** The object that it belongs to: "Deployment peer0". */
  readonly owner: string;
}

/** Of Deployment, StatefulSet, DaemonSet, ReplicaSet, Job and similar kinds; of CronJob; of PodTemplate. */
const templatePaths: readonly Path[] = [
  ["spec", "template"],
  ["spec", "jobTemplate", "spec", "template"],
  ["template"],
];

/** Every Pod template of an object, also of a List's items; empty for an object without any. */
export function podTemplatesOf(object: unknown): readonly PodTemplate[] {
  const fields = fieldsOf(object);
  const items = itemsOf(object);
  if (items !== undefined) {
    return items.flatMap((item, index) =>
      podTemplatesOf(item).map(({ path, ...template }) => ({ ...template, path: ["items", index, ...path] })),
    );
  }
  const owner = ownerOf(object);
  if (fields["kind"] === "Pod") return [{ path: [], pod: fields, owner }];
  const path = templatePaths.find((place) =>
    Array.isArray(fieldsOf(fieldsOf(valueAt(object, place))["spec"])["containers"]),
  );
  if (path === undefined) return [];
  return [podTemplateAt(object, path, owner)];
}

export function podTemplateAt(object: unknown, path: Path, owner: string): PodTemplate {
  return { path, pod: { apiVersion: "v1", kind: "Pod", ...fieldsOf(valueAt(object, path)) }, owner };
}

/**
 * The objects of a List; undefined for what is none. Those of a PodList, as the API has it, do not say their kind: the list's says it
 * (cli-runtime, pkg/resource; apimachinery, UnstructuredList).
 */
export function itemsOf(object: unknown): readonly unknown[] | undefined {
  const { kind, items } = fieldsOf(object);
  if (!Array.isArray(items) || !textOf(kind).endsWith("List")) return undefined;
  const implied = textOf(kind).slice(0, -"List".length);
  if (implied === "") return items;
  return items.map((item: unknown) => {
    const fields = fieldsOf(item);
    return fields["kind"] === undefined && Object.keys(fields).length > 0 ? { ...fields, kind: implied } : item;
  });
}

/** "Deployment peer0"; without a name "Deployment", without a kind "object peer0". */
export function ownerOf(object: unknown): string {
  const { kind, metadata } = fieldsOf(object);
  const { name, generateName } = fieldsOf(metadata);
  const called = textOf(name) === "" ? textOf(generateName) : textOf(name);
  return [textOf(kind) === "" ? "object" : textOf(kind), called].filter((word) => word !== "").join(" ");
}

export function valueAt(object: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => {
    if (Array.isArray(value)) return typeof key === "number" ? (value[key] as unknown) : undefined;
    return Object.hasOwn(fieldsOf(value), key) ? fieldsOf(value)[key] : undefined;
  }, object);
}

export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
