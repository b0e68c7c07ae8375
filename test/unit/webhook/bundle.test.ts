import { createRequire } from "node:module";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { leanWebhook } from "../../../webhook/bundle.ts";

interface Bundled {
  readonly express: { json(): unknown; urlencoded(): unknown };
  readonly prometheus: {
    readonly Registry: new () => { metrics(): Promise<string> };
    collectDefaultMetrics(options: { readonly register: unknown }): void;
  };
  readonly config: { loadFromString(text: string): void; getCurrentCluster(): { readonly server: string } | null };
  readonly files: { readFile(path: string, encoding: string): Promise<string> };
}

const directory = mkdtempSync(join(tmpdir(), "kubectl-fabric-bundle-"));
let bundled: Bundled;

/** What the webhook's dependencies are in its bundle. */
beforeAll(async () => {
  const outfile = join(directory, "bundle.cjs");
  const contents = `
export { default as express } from "express";
export * as prometheus from "prom-client";
export * as files from "node:fs/promises";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
export const config = new KubeConfig();
`;
  await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "error",
    plugins: [leanWebhook],
    outfile,
  });
  bundled = createRequire(import.meta.url)(outfile) as Bundled;
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test("a call of what was left out is an error that names it", () => {
  expect(() => bundled.express.json()).toThrow("body-parser is not in the webhook's bundle: see webhook/bundle.ts");
  expect(() => bundled.express.urlencoded()).toThrow("body-parser is not in the webhook's bundle");
});

test("the process's own metrics are there once they are asked for", async () => {
  const register = new bundled.prometheus.Registry();
  bundled.prometheus.collectDefaultMetrics({ register });
  const text = await register.metrics();
  for (const name of ["process_resident_memory_bytes", "process_cpu_seconds_total", "nodejs_eventloop_lag_p99_seconds"])
    expect(text).toContain(`\n${name}`);
});

test.each([
  ["JSON", JSON.stringify(configuration())],
  [
    "YAML",
    "clusters: [{name: c, cluster: {server: 'https://10.0.0.1'}}]\ncontexts: [{name: c, context: {cluster: c, user: c}}]\nusers: [{name: c, user: {}}]\ncurrent-context: c\n",
  ],
])("a kubeconfig is read as %s", (_, text) => {
  bundled.config.loadFromString(text);
  expect(bundled.config.getCurrentCluster()?.server).toBe("https://10.0.0.1");
});

test("files are read, and one that is not there is an error", async () => {
  await expect(bundled.files.readFile("package.json", "utf8")).resolves.toContain("kubectl-fabric");
  await expect(bundled.files.readFile(join(directory, "nowhere"), "utf8")).rejects.toMatchObject({ code: "ENOENT" });
});

function configuration(): object {
  return {
    clusters: [{ name: "c", cluster: { server: "https://10.0.0.1" } }],
    contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
    users: [{ name: "c", user: {} }],
    "current-context": "c",
  };
}
