import type { V1ConfigMap, V1Container, V1EnvVar, V1ObjectMeta } from "../../kubernetes/client-node.ts";

/** The environment of a container as far as it can be known from outside. */
export interface PodEnvironment {
  /** Undefined: not set; null: set, or perhaps set, by something that is not ours to read. */
  readonly value: (name: string) => string | undefined | null;
}

/** A ConfigMap's data; undefined when it is not there or may not be read. */
export type ConfigMapReader = (name: string) => Promise<V1ConfigMap["data"] | undefined>;

/**
 * What Kubernetes would make of env and envFrom: literals with their $(references), fields of the Pod, ConfigMaps. Secrets are not read:
 * what they may say is not known.
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

/** $(NAME) of a variable that came before; $$ is a dollar; any other stays as it is written. */
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
