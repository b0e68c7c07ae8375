// What the programs embed is what the sources read, in both forms of a bundle.
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Format } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { embeddedText, embedTexts } from "../../../build/embedded-text.ts";

const root = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "kubectl-fabric-embedded-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a module exports once it is bundled, far from the texts that its source reads. */
async function bundled(module: string, format: Format): Promise<unknown> {
  const outfile = join(folder, `${format}.${format === "cjs" ? "cjs" : "mjs"}`);
  const options = { bundle: true, platform: "node", logLevel: "silent", outfile } as const;
  await build({ ...options, format, entryPoints: [module], packages: "external", plugins: [embeddedText] });
  return format === "cjs" ? createRequire(import.meta.url)(outfile) : import(outfile);
}

describe("a text in a bundle", () => {
  test.each(["cjs", "esm"] as const)("is what stands in the file (%s)", async (format) => {
    const module = join(root, "core/injection/idle.ts");
    expect(await bundled(module, format)).toMatchObject({
      idleScript: readFileSync(join(root, "core/injection/idle.sh"), "utf8"),
    });
  });

  test("is not looked for when the program runs: what cannot be embedded ends the build", async () => {
    const module = join(folder, "other.ts");
    writeFileSync(module, "export const where = import.meta.dirname;\n");
    await expect(bundled(module, "esm")).rejects.toThrow("expected import.meta only in readFileSync(new URL(");
  });
});

test("every program in a file of its own is read by the module beside it, in the form that is embedded", () => {
  const scripts = globSync("core/**/*.sh", { cwd: root });
  expect(scripts).not.toEqual([]);
  const read = globSync("{core,plugin,webhook,runner}/**/*.ts", { cwd: root }).flatMap((module) => {
    const names: string[] = [];
    embedTexts(readFileSync(join(root, module), "utf8"), (name) => (names.push(join(module, "..", name)), ""));
    return names;
  });
  expect(read.toSorted()).toEqual(scripts.toSorted());
});

test.each([
  ["on one line", 'const text = readFileSync(new URL("./a.sh", import.meta.url), "utf8");'],
  ["as prettier breaks it", 'const text = readFileSync(\n  new URL("./a.sh", import.meta.url),\n  "utf8",\n);'],
])("whatever is in a text stays as it is: %s", (_, source) => {
  expect(embedTexts(source, (name) => `${name} "$1" '\\n' $& \${x}\n`)).toBe(
    String.raw`const text = "a.sh \"$1\" '\\n' $& ${"${x}"}\n";`,
  );
});
