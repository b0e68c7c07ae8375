import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { build } from "esbuild";
import { describe, expect, test } from "vitest";

/** Folder -> what of ours its files may import (besides each other). Imports point downwards only. */
const layers: Readonly<Record<string, readonly string[]>> = {
  "plugin/fabric": ["plugin/error.ts"],
  "plugin/kube": ["plugin/error.ts"],
  "plugin/steps": ["plugin/error.ts"],
  "plugin/docker": ["plugin/error.ts", "plugin/steps", "plugin/kube"],
  "plugin/terminal": ["plugin/error.ts", "plugin/steps"],
  "plugin/network": [
    "plugin/error.ts",
    "plugin/version.ts",
    "plugin/steps",
    "plugin/fabric",
    "plugin/kube",
    "plugin/docker",
    "webhook/inject",
  ],
  "plugin/chaincode": [
    "plugin/error.ts",
    "plugin/steps",
    "plugin/fabric",
    "plugin/kube",
    "plugin/docker",
    "plugin/network",
    "webhook/inject",
  ],
  "plugin/injection": ["plugin/error.ts", "plugin/steps", "plugin/kube", "webhook/inject"],
  "plugin/orphans": [
    "plugin/error.ts",
    "plugin/steps",
    "plugin/fabric",
    "plugin/kube",
    "plugin/docker",
    "plugin/network",
    "webhook/inject",
  ],
  "plugin/doctor": [
    "plugin/error.ts",
    "plugin/version.ts",
    "plugin/steps",
    "plugin/kube",
    "plugin/network",
    "plugin/injection",
    "plugin/orphans",
    "webhook/inject",
  ],
  plugin: ["webhook/inject"],
  "webhook/inject": [],
  webhook: [],
  runner: ["webhook/log.ts", "webhook/version.ts"],
};

const root = join(import.meta.dirname, "../..");
const files = globSync("{plugin,webhook,runner}/**/*.ts", { cwd: root });

/** The innermost folder with rules. */
function layerOf(file: string): string {
  const layer = Object.keys(layers)
    .filter((folder) => file.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length)[0];
  if (layer === undefined) throw new Error(`no layer for ${file}`);
  return layer;
}

function importsOf(file: string): string[] {
  const source = readFileSync(join(root, file), "utf8");
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map((match) => match[1] ?? "");
  return specifiers.map((specifier) => normalize(join(dirname(file), specifier)));
}

describe("imports point downwards only", () => {
  test("there is something to check", () => {
    expect(files.length).toBeGreaterThan(20);
    expect(files.flatMap(importsOf).length).toBeGreaterThan(50);
  });

  test.each(files)("%s", (file) => {
    const layer = layerOf(file);
    const allowed = [layer, ...(layers[layer] ?? [])];
    const wrong = importsOf(file).filter(
      (path) => !allowed.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)),
    );
    expect(wrong).toEqual([]);
  });
});

/** Packages of npm that the product's files import, types left out: those are gone when it runs. */
async function packagesImported(): Promise<ReadonlySet<string>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: files,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outdir: "out",
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports);
  const packages = imports
    .filter(({ external, path }) => external === true && process.getBuiltinModule(path) === undefined)
    .map(({ path }) =>
      path
        .split("/")
        .slice(0, path.startsWith("@") ? 2 : 1)
        .join("/"),
    );
  return new Set(packages);
}

test("what the product imports are its dependencies, all of them", async () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { dependencies: object };
  expect([...(await packagesImported())].toSorted()).toEqual(Object.keys(dependencies).toSorted());
});
