import { fieldManager } from "./objects.ts";

/** Who looks after an object, by the convention of Kubernetes. */
export const managedByLabel = "app.kubernetes.io/managed-by";

/** On everything that we made. */
export const managedBy = { [managedByLabel]: fieldManager } as const;

/** Whether an object, if there is one, has all these labels. */
export function hasLabels(
  object:
    { readonly metadata?: { readonly labels?: Readonly<Record<string, string>> | undefined } | undefined } | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => object?.metadata?.labels?.[key] === value);
}
