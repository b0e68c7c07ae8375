import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { KubernetesObject } from "../kubernetes/client-node.ts";

declare const __MANIFESTS__: string | undefined;

/** The webhook's objects, in the order to apply them: what manifests/base says and nothing else. */
export function webhookManifests(): readonly KubernetesObject[] {
  const objects = parseAllDocuments(manifestText()).flatMap((document) => {
    const value: unknown = document.toJS();
    return value === null ? [] : [value as KubernetesObject];
  });
  return objects.toSorted((left, right) => rank(left) - rank(right));
}

/** Embedded when bundled; read from the source tree otherwise. */
function manifestText(): string {
  if (typeof __MANIFESTS__ !== "undefined") return __MANIFESTS__;
  return readManifests(join(import.meta.dirname, "../../manifests/base"));
}

/** All manifests of a folder as one YAML stream; kustomization.yaml only lists them. */
export function readManifests(folder: string): string {
  return globSync("*.yaml", { cwd: folder })
    .filter((file) => file !== "kustomization.yaml")
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n---\n");
}

/** What others need comes first; the webhook's registration last, when somebody can answer. */
const order = [
  "Namespace",
  "ServiceAccount",
  "ClusterRole",
  "ClusterRoleBinding",
  "Role",
  "RoleBinding",
  "Secret",
  "ConfigMap",
  "Service",
];

function rank({ kind = "" }: KubernetesObject): number {
  if (kind === "MutatingWebhookConfiguration") return order.length + 1;
  const index = order.indexOf(kind);
  return index < 0 ? order.length : index;
}
