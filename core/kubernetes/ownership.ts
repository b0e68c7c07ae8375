import { fieldManager } from "./objects.ts";

/** The label that names an object's manager (Kubernetes, "Recommended Labels"). */
export const managedByLabel = "app.kubernetes.io/managed-by";

/** The label of every object that we make. */
export const managedBy = { [managedByLabel]: fieldManager } as const;

/** Whether an object has all these labels; undefined has none. */
export function hasLabels(
  object:
    { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> | undefined } | undefined } | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => object?.metadata?.labels?.[key] === value);
}
