import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { injectionPolicyObjects } from "../../../../plugin/network/injection-policy.ts";

const FILE = join(import.meta.dirname, "../../../../manifests/overlays/policy/policy.yaml");

// UPDATE_GOLDEN=1 writes it: read the difference before you commit it. What it says to an API server: test/integration/webhook/policy.test.ts.
test("the overlay is what `webhook install --policy` applies", () => {
  const text = injectionPolicyObjects()
    .map((object) => stringify(object, { lineWidth: 0 }))
    .join("---\n");
  const written = `# Written by a test, out of what the injection makes (plugin/network/injection-policy.ts): not to be edited, but for the ConfigMap.\n${text}`;
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(FILE, written);
  expect(readFileSync(FILE, "utf8")).toBe(written);
});
