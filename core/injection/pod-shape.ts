import { documentationOf } from "./annotations.ts";
import { Denial } from "./outcome.ts";

/**
 * More entries than any Pod has in one list. The API server checks a Pod only after its webhooks: without a bound one review of
 * 3 MiB could keep a replica busy for seconds.
 */
const mostEntries = 250;
const mostVariables = 1000;

/** A value that does not fit: its path from the checked value, and what is allowed. */
interface Misfit {
  readonly path: string;
  readonly value: unknown;
  readonly allowed: string;
}

/** Gives the misfit of a value. Paths are made only for misfits, for nearly every Pod fits. */
type Check = (value: unknown) => Misfit | undefined;

/**
 * Checks that the fields of a Pod that the injection reads have the expected types. The API server sends no others; another
 * client gets a denial instead of an exception.
 * Throws Denial for a field of another type; the sentence names it.
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

/** A field that may be missing, or null. */
function optional(check: Check): Check {
  return (value) => (value === undefined || value === null ? undefined : check(value));
}

function map(check: Check): Check {
  return (value) => {
    if (!isObject(value)) return noObject(value);
    for (const key in value) {
      const misfit = check(value[key]);
      if (misfit !== undefined) return below(`.${key}`, misfit);
    }
    return undefined;
  };
}

function quantity(value: unknown): Misfit | undefined {
  const fits = typeof value === "string" || typeof value === "number";
  return fits ? undefined : { path: "", value, allowed: "a quantity" };
}

const quantities = optional(map(optional(quantity)));
const resources = optional(object({ requests: quantities, limits: quantities }));

const containerShape = object({
  name: text,
  image: optional(text),
  command: optional(list(text)),
  args: optional(list(text)),
  env: optional(list(object({ name: text, value: optional(text) }), mostVariables)),
  volumeMounts: optional(list(object({ name: text, mountPath: text, subPath: optional(text) }))),
  resources,
});

const podShape = object({
  metadata: object({ annotations: map(text) }),
  spec: object({
    containers: list(containerShape),
    initContainers: optional(list(containerShape)),
    volumes: optional(list(object({ name: text, hostPath: optional(object({ path: text })) }))),
    imagePullSecrets: optional(list(object({ name: optional(text) }))),
    resources,
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
