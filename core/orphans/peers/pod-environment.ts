import type { V1ConfigMap, V1Container, V1EnvVar, V1ObjectMeta } from "../../kubernetes/client-node.ts";

/** The environment of a container, as far as its Pod and ConfigMaps show it. */
export interface PodEnvironment {
  /** Undefined: not set; null: set, or perhaps set, by a source that we cannot read. */
  readonly value: (name: string) => string | undefined | null;
}

/** A ConfigMap's data; undefined when it is not there or may not be read. */
export type ConfigMapReader = (name: string) => Promise<V1ConfigMap["data"] | undefined>;

/**
 * The result of env and envFrom, as Kubernetes computes it: literals with their $(references), fields of the Pod, ConfigMaps. Secrets
 * are not read: variables that may come from them are unknown.
 */
export async function podEnvironment(
  { env = [], envFrom = [] }: V1Container,
  metadata: V1ObjectMeta | undefined,
  configMap: ConfigMapReader,
): Promise<PodEnvironment> {
  const values = new Map<string, string | null>();
  let opaque = false;
  for (const { configMapRef, secretRef, prefix = "" } of envFrom) {
    const data = configMapRef?.name === undefined ? undefined : await configMap(configMapRef.name);
    for (const [key, value] of Object.entries(data ?? {})) values.set(prefix + key, value);
    if (secretRef !== undefined || (data === undefined && configMapRef?.optional !== true)) opaque = true;
  }
  for (const variable of env) values.set(variable.name, await valueOf(variable, values, metadata, configMap));
  return { value: (name) => (values.has(name) ? values.get(name) : opaque ? null : undefined) };
}

async function valueOf(
  { value, valueFrom }: V1EnvVar,
  before: ReadonlyMap<string, string | null>,
  metadata: V1ObjectMeta | undefined,
  configMap: ConfigMapReader,
): Promise<string | null> {
  if (!valueFrom) return expanded(value ?? "", before);
  const { configMapKeyRef: ref, fieldRef } = valueFrom;
  if (ref?.name !== undefined) return (await configMap(ref.name))?.[ref.key] ?? null;
  if (fieldRef?.fieldPath === "metadata.name") return metadata?.name ?? null;
  if (fieldRef?.fieldPath === "metadata.namespace") return metadata?.namespace ?? null;
  return null;
}

/** Replaces $(NAME) of an earlier variable, and $$ by a dollar; other references stay. Null when an earlier variable is unknown. */
function expanded(text: string, before: ReadonlyMap<string, string | null>): string | null {
  let known = true;
  const result = text.replaceAll(/\$(\$|\(([^)]+)\))/g, (whole, sign: string, name: string) => {
    if (sign === "$") return "$";
    const value = before.get(name);
    if (value === null) known = false;
    return value ?? whole;
  });
  return known ? result : null;
}
