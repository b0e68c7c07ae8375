import { build } from "esbuild";
import { expect, test } from "vitest";
import { leanClientNode } from "../../../build/lean-client-node.ts";
import { packagesOf } from "../../../build/main.ts";
import { newLifetime } from "../../../build/lifetime.ts";
import { cutTo, identityOf, npmSbom } from "../../../build/sbom.ts";
import { leanWebhook } from "../../../webhook/bundle.ts";

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
  const { metafile } = await build({
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    plugins: [leanWebhook, leanClientNode],
    entryPoints: ["webhook/main.ts"],
    metafile: true,
    write: false,
    logLevel: "error",
  });
  const bundled = packagesOf(Object.keys(metafile.inputs)).map(identityOf);
  await using lifetime = newLifetime(new AbortController().signal);
  const { components } = cutTo(await npmSbom(lifetime), bundled, "kubectl-fabric-webhook");
  expect(bundled.length).toBeGreaterThan(20);
  expect(bundled.filter((one) => !components.some((component) => component["bom-ref"] === one))).toEqual([]);
  const told = expect.objectContaining({ hashes: [expect.anything()], licenses: [expect.anything()] }) as unknown;
  expect(components).toEqual(components.map(() => told));
}, 300_000);
