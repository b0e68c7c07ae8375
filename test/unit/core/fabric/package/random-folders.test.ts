// Whatever lies in a folder, and whatever its ignore files say: a package, or a refusal in our words.
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readChaincodeSource } from "../../../../../core/fabric/package/chaincode-source.ts";
import { FabricError } from "../../../../../core/error.ts";

const name = fc.constantFrom(
  "a",
  "b.js",
  ".env",
  "id_rsa",
  "node_modules",
  "vendor",
  "modules.txt",
  "package.json",
  "go.mod",
  "go.work",
  "main.go",
  "x.jar",

  "pom.xml",
  "META-INF",
  "statedb",
  "..a",
  "A b",
  "ü",
  "[x]",
  "\\",
  "*",
  "index.js",
  ".git",
  "build",
  "lib",
  "a.class",
);
const word = fc.constantFrom(
  "*",
  "!",
  "/",
  "**",
  "a",
  "b.js",
  "\\",
  "[",
  "]",
  "{",
  "#",
  " ",
  "\r",
  "\ufeff",
  "node_modules",
  "..",
  "?",
  "$",
  "(",
  '"',
  "'",
  "&&",
);
const text = fc.array(fc.oneof(word, fc.constant("\n")), { maxLength: 12 }).map((words) => words.join(""));
const script = fc.oneof(
  text,
  fc.constantFrom(
    "node .",
    "npm run prestart",
    "fabric-chaincode-node start",
    "fabric-chaincode-node server",
    "./a",
    "tsc && node a",
  ),
);
const scripts = fc.dictionary(
  fc.constantFrom("start", "prestart", "build", "prepare"),
  fc.oneof(script, fc.constant(1)),
  { maxKeys: 4 },
);
const manifest = fc
  .record(
    {
      main: fc.oneof(text, name, fc.constant(3)),
      scripts,
      dependencies: fc.oneof(fc.constant({ "fabric-shim": "2", own: "file:../x" }), fc.constant([])),
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value));
const goMod = fc
  .array(
    fc.constantFrom(
      "module a",
      "go 1.22",
      "require (",
      ")",
      "require b v1.0.0",
      "replace b => ../b",
      "replace b v1 =>",
      'module "',
      "=>",
      "use ./x",
    ),
    { maxLength: 6 },
  )
  .map((lines) => lines.join("\n"));
const go = fc.constantFrom(
  "package main\n//go:embed [a-\nvar x int",
  'package main\n//go:embed all:* "b',
  "package a",
  "//go:embed ../x\npackage main",
  "",
);
const content = fc.oneof(text, manifest, goMod, go, fc.constant("# b v1.0.0\n## explicit\nb\n# b => ../b\n"));
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const top = fc.record(
  {
    "package.json": fc.oneof(manifest, text),
    "go.mod": goMod,
    "main.go": go,
    "pom.xml": text,
    ".fabricignore": text,
    ".npmignore": text,
    ".dockerignore": text,
    "go.work": goMod,
    "vendor/modules.txt": content,
  },
  { requiredKeys: [] },
);
const folders = fc.record({
  top,
  files: fc.dictionary(path, content, { maxKeys: 5 }),
  link: fc.option(fc.tuple(name, path)),
});

async function outcome(folder: string): Promise<string> {
  try {
    const { files } = await readChaincodeSource(folder);
    return files.length > 0 ? "a package" : "a package without files";
  } catch (error) {
    if (error instanceof FabricError && error.code === "usage") return "a refusal";
    throw error;
  }
}

test("a random folder is a package or a refusal", { timeout: 1_200_000 }, async () => {
  const parent = await mkdtemp(join(tmpdir(), "random-"));
  let count = 0;
  try {
    await fc.assert(
      fc.asyncProperty(folders, async ({ top: own, files, link }) => {
        const folder = join(parent, String(count++));
        await mkdir(folder);
        for (const [file, body] of Object.entries({ ...files, ...own })) {
          // A folder may be where this file would be, or the other way round.
          await mkdir(dirname(join(folder, file)), { recursive: true }).catch(() => {});
          await writeFile(join(folder, file), body ?? "").catch(() => {});
        }
        if (link) await symlink(link[1], join(folder, link[0])).catch(() => {});
        try {
          expect(await outcome(folder)).toMatch(/^(a package|a refusal)$/);
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      }),
      { numRuns: Number(process.env["PACKAGE_RUNS"] ?? 250) },
    );
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});
