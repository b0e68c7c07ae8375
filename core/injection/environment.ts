import type { V1Container, V1EnvVar } from "@kubernetes/client-node";
import type { ListEdit } from "./list-edit.ts";

/** The literal value of a container's variable; undefined without one. Of several entries the last one counts, as in Kubernetes. */
export function literal({ env }: V1Container, name: string): string | undefined {
  const last = (env ?? []).findLast((variable) => variable.name === name);
  if (last === undefined || (last.valueFrom !== undefined && last.valueFrom !== null)) return undefined;
  return last.value ?? "";
}

/**
 * Sets variables to literals, which override `valueFrom` and `envFrom`. A literal replaces the first entry of its name; further
 * entries of the name are removed. Missing variables are appended.
 */
export function setVariables(env: readonly V1EnvVar[], values: Readonly<Record<string, string>>): ListEdit<V1EnvVar> {
  const replace: { index: number; value: V1EnvVar }[] = [];
  const remove: number[] = [];
  const append: V1EnvVar[] = [];
  for (const [name, value] of Object.entries(values)) {
    const [first, ...others] = env.flatMap((variable, index) => (variable.name === name ? [index] : []));
    remove.push(...others);
    if (first === undefined) append.push({ name, value });
    else if (!isLiteral(env[first], value)) replace.push({ index: first, value: { name, value } });
  }
  return { replace, remove, append };
}

function isLiteral(variable: V1EnvVar | undefined, value: string): boolean {
  return variable?.value === value && (variable.valueFrom === undefined || variable.valueFrom === null);
}
