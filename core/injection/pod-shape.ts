import { documentationOf } from "./annotations.ts";
import { Denial } from "./outcome.ts";

/**
 * More entries than any Pod has in one list. The API server checks a Pod only after its webhooks: without a bound one review of
 * 3 MiB could keep a replica busy for seconds.
 */
const mostEntries = 250;
const mostVariables = 1000;

/** What a value is not, and where: its path from the value that was checked. */
interface Misfit {
  readonly path: string;
  readonly value: unknown;
  readonly allowed: string;
}

/** Paths are made of what does not fit alone: nearly every Pod fits. */
type Check = (value: unknown) => Misfit | undefined;

/**
 * Whether what the injection reads of a Pod has the shape that it reads it in. The API server sends nothing else; whoever else
 * calls gets a denial instead of an exception.
 * Throws Denial when it has not; the sentence names the field.
 */
export function checkShape(pod: unknown): void {
  const misfit = podShape(pod);
  if (misfit !== undefined) throw wrong(misfit);
}

function text(value: unknown): Misfit | undefined {
  return typeof value === "string" ? undefined : { path: "", value, allowed: "a text" };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const noObject = (value: unknown): Misfit => ({ path: "", value, allowed: "an object" });
const below = (step: string, misfit: Misfit): Misfit => ({ ...misfit, path: `${step}${misfit.path}` });

function object(fields: Readonly<Record<string, Check>>): Check {
  const checks = Object.entries(fields);
  return (value) => {
    if (!isObject(value)) return noObject(value);
    for (const [name, check] of checks) {
      const misfit = check(value[name]);
      if (misfit !== undefined) return below(`.${name}`, misfit);
    }
    return undefined;
  };
}

function list(check: Check, most = mostEntries): Check {
  return (value) => {
    if (!Array.isArray(value)) return { path: "", value, allowed: "a list" };
    if (value.length > most) return { path: "", value: value.length, allowed: `at most ${most} entries` };
    for (let index = 0; index < value.length; index++) {
      const misfit = check(value[index]);
      if (misfit !== undefined) return below(`[${index}]`, misfit);
    }
    return undefined;
  };
}

/** Kubernetes leaves a field out, or writes null. */
function optional(check: Check): Check {
  return (value) => (value === undefined || value === null ? undefined : check(value));
}

function texts(value: unknown): Misfit | undefined {
  if (!isObject(value)) return noObject(value);
  for (const key in value) {
    const misfit = text(value[key]);
    if (misfit !== undefined) return below(`.${key}`, misfit);
  }
  return undefined;
}

const containerShape = object({
  name: text,
  image: optional(text),
  command: optional(list(text)),
  args: optional(list(text)),
  env: optional(list(object({ name: text, value: optional(text) }), mostVariables)),
  volumeMounts: optional(list(object({ name: text, mountPath: text, subPath: optional(text) }))),
});

const podShape = object({
  metadata: object({ annotations: texts }),
  spec: object({
    containers: list(containerShape),
    initContainers: optional(list(containerShape)),
    volumes: optional(list(object({ name: text, hostPath: optional(object({ path: text })) }))),
    imagePullSecrets: optional(list(object({ name: optional(text) }))),
    securityContext: optional(object({ supplementalGroups: optional(list(() => undefined)) })),
    os: optional(object({})),
  }),
});

function wrong({ path, value, allowed }: Misfit): Denial {
  const shown = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return new Denial("malformed-pod", {
    key: path === "" ? "the Pod" : path.slice(1),
    value: shown.slice(0, 100),
    allowed,
    documentation: documentationOf("pods that are refused"),
  });
}
