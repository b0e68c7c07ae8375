import { join } from "node:path";
import { expect, test } from "vitest";
import { bundleWebhook, packagesOf } from "../../../build/bundle.ts";
import { newLifetime, temporaryFolder } from "../../../build/lifetime.ts";
import { cutTo, identityOf, npmSbom } from "../../../build/sbom.ts";

test("packages are told by their directories, nested and scoped ones, each once", () => {
  const files = ["node_modules/a/b.js", "node_modules/a/c.js", "node_modules/a/node_modules/@s/d/e.js", "webhook/f.ts"];
  expect(packagesOf(files)).toEqual(["node_modules/a", "node_modules/a/node_modules/@s/d"]);
});

test("what is not in the bundle is left out, in the lists of dependencies, too", () => {
  const document = {
    metadata: { component: { "bom-ref": "root@1", name: "root" } },
    components: [{ "bom-ref": "a@1" }, { "bom-ref": "b@1" }],
    dependencies: [
      { ref: "root@1", dependsOn: ["a@1", "b@1"] },
      { ref: "b@1", dependsOn: ["a@1"] },
    ],
  };
  expect(cutTo(document, ["a@1"], "webhook")).toEqual({
    metadata: { component: { "bom-ref": "root@1", name: "webhook" } },
    components: [{ "bom-ref": "a@1" }],
    dependencies: [{ ref: "root@1", dependsOn: ["a@1"] }],
  });
});

test("every package of the webhook's bundle is listed, with its licence and hash", async () => {
  await using lifetime = newLifetime(new AbortController().signal);
  const folder = await temporaryFolder(lifetime, "sbom-");
  const bundled = (await bundleWebhook(join(folder, "webhook.cjs"))).map(identityOf);
  const { components } = cutTo(await npmSbom(lifetime), bundled, "kubectl-fabric-webhook");
  expect(bundled.length).toBeGreaterThan(20);
  expect(bundled.filter((one) => !components.some((component) => component["bom-ref"] === one))).toEqual([]);
  const told = expect.objectContaining({ hashes: [expect.anything()], licenses: [expect.anything()] }) as unknown;
  expect(components).toEqual(components.map(() => told));
}, 300_000);
