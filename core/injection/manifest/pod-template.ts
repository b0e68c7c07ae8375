import type { V1Pod } from "../../kubernetes/client-node.ts";

/** Where something stands in an object: keys of maps and indices of lists. */
export type Path = readonly (string | number)[];

/** A Pod, or what Pods are made from, within an object of any kind. */
export interface PodTemplate {
  readonly path: Path;
  /** As the API server would hand it to the webhook. */
  readonly pod: V1Pod;
  /** The object that it belongs to: "Deployment peer0". */
  readonly owner: string;
}

/** Pod; Deployment, StatefulSet, DaemonSet, ReplicaSet, Job and whatever is built like them; CronJob; PodTemplate. */
const templatePaths: readonly Path[] = [
  ["spec", "template"],
  ["spec", "jobTemplate", "spec", "template"],
  ["template"],
];

/** Every Pod template of an object, of a List's items as well. What has none gives none. */
export function podTemplatesOf(object: unknown): readonly PodTemplate[] {
  const fields = fieldsOf(object);
  if (Array.isArray(fields["items"]) && textOf(fields["kind"]).endsWith("List")) {
    return fields["items"].flatMap((item, index) =>
      podTemplatesOf(item).map(({ path, ...template }) => ({ ...template, path: ["items", index, ...path] })),
    );
  }
  const owner = ownerOf(object);
  if (fields["kind"] === "Pod") return [{ path: [], pod: fields, owner }];
  const path = templatePaths.find((place) =>
    Array.isArray(fieldsOf(fieldsOf(valueAt(object, place))["spec"])["containers"]),
  );
  if (path === undefined) return [];
  return [{ path, pod: { apiVersion: "v1", kind: "Pod", ...fieldsOf(valueAt(object, path)) }, owner }];
}

/** "Deployment peer0"; what an object lacks is left out. */
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
