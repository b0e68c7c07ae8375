import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  V1Container,
  V1ResourceRequirements,
  V1SecurityContext,
  V1VolumeMount,
  type V1ValidatingAdmissionPolicy,
} from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { injectionPolicyObjects } from "../../../../core/installation/injection-policy.ts";

const policyFile = join(import.meta.dirname, "../../../../manifests/overlays/policy/policy.yaml");

// UPDATE_GOLDEN=1 writes it: read the difference before you commit it. What it says to an API server: test/integration/webhook/policy.test.ts.
test("the overlay is what `webhook install --policy` applies", () => {
  const text = injectionPolicyObjects()
    .map((object) => stringify(object, { lineWidth: 0 }))
    .join("---\n");
  const written = `# Written by a test, out of what the injection makes (core/installation/injection-policy.ts): not to be edited, but for the ConfigMap.\n${text}`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(policyFile, written);
  expect(readFileSync(policyFile, "utf8")).toBe(written);
});

/** Of the model's Kubernetes (1.36), with what cannot change what the daemon is or reaches. A new field belongs into one or the other. */
test.each([
  [
    "c",
    V1Container,
    // Defaults and habits of clusters; and rules that the API server takes of no native sidecar.
    ["imagePullPolicy", "resizePolicy", "restartPolicyRules", "terminationMessagePolicy"],
  ],
  ["m", V1VolumeMount, ["recursiveReadOnly"]],
  ["c.resources", V1ResourceRequirements, ["limits", "requests"]],
  [
    "c.securityContext",
    V1SecurityContext,
    // Less than privilege, whatever they say.
    [
      "allowPrivilegeEscalation",
      "appArmorProfile",
      "readOnlyRootFilesystem",
      "runAsGroup",
      "runAsNonRoot",
      "runAsUser",
      "seccompProfile",
    ],
  ],
] as const)("the daemon is told by every field of %s, but for those that change nothing", (prefix, model, others) => {
  const policies = injectionPolicyObjects() as readonly V1ValidatingAdmissionPolicy[];
  const { spec } = policies.find(({ metadata }) => metadata?.name === "kubectl-fabric-pods")!;
  const { expression } = spec!.variables!.find(({ name }) => name === "daemons")!;
  const fields = model.getAttributeTypeMap().map(({ name }) => name);
  const left = fields.filter((field) => !new RegExp(`\\b${prefix}[.]${field}\\b`).test(expression));
  expect(left.toSorted()).toEqual(others);
});
