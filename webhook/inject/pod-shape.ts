import { documentationOf } from "./annotations.ts";
import { Denial } from "./outcome.ts";

/**
 * More entries than any Pod has in one list. The API server checks a Pod only after its webhooks: without a bound one review of
 * 3 MiB could keep a replica busy for seconds.
 */
const MOST_ENTRIES = 250;
const MOST_VARIABLES = 1000;

type Check = (value: unknown, path: string) => void;

/**
 * Whether what the injection reads of a Pod has the shape that it reads it in. The API server sends nothing else; whoever else
 * calls gets a denial instead of an exception.
 * @throws Denial that names the field
 */
export function checkShape(pod: unknown): void {
  POD(pod, "");
}

function text(value: unknown, path: string): void {
  if (typeof value !== "string") throw wrong(path, value, "a text");
}

function object(fields: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, value, "an object");
    for (const name in fields)
      fields[name]?.((value as Record<string, unknown>)[name], path === "" ? name : `${path}.${name}`);
  };
}

function list(check: Check, most = MOST_ENTRIES): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, value, "a list");
    if (value.length > most) throw wrong(path, value.length, `at most ${most} entries`);
    for (let index = 0; index < value.length; index++) check(value[index], `${path}[${index}]`);
  };
}

/** Kubernetes leaves a field out, or writes null. */
function optional(check: Check): Check {
  return (value, path) => {
    if (value !== undefined && value !== null) check(value, path);
  };
}

function texts(value: unknown, path: string): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(path, value, "an object");
  for (const [key, entry] of Object.entries(value)) text(entry, `${path}.${key}`);
}

const CONTAINER = object({
  name: text,
  image: optional(text),
  command: optional(list(text)),
  args: optional(list(text)),
  env: optional(list(object({ name: text, value: optional(text) }), MOST_VARIABLES)),
  volumeMounts: optional(list(object({ name: text, mountPath: text, subPath: optional(text) }))),
});

const POD = object({
  metadata: object({ annotations: texts }),
  spec: object({
    containers: list(CONTAINER),
    initContainers: optional(list(CONTAINER)),
    volumes: optional(list(object({ name: text, hostPath: optional(object({ path: text })) }))),
    imagePullSecrets: optional(list(object({ name: optional(text) }))),
    securityContext: optional(object({ supplementalGroups: optional(list(() => {})) })),
    os: optional(object({})),
  }),
});

function wrong(path: string, value: unknown, allowed: string): Denial {
  const shown = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return new Denial("malformed-pod", {
    key: path === "" ? "the Pod" : path,
    value: shown.slice(0, 100),
    allowed,
    documentation: documentationOf("pods that are refused"),
  });
}
