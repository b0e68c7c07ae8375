import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { compile, compiledEnvironment } from "../../../compiled.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "compiled-"));
  writeFileSync(join(directory, "program.mjs"), "export const answer = (() => 42)();\n");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** What Node says of the cache when it runs the program. */
function said(): string {
  const env = {
    ...process.env,
    ...compiledEnvironment(join(directory, "compiled")),
    NODE_DEBUG_NATIVE: "COMPILE_CACHE",
  };
  return spawnSync(process.execPath, [join(directory, "program.mjs")], { env, encoding: "utf8" }).stderr;
}

test("what was compiled is taken, also at another place, and anybody may read it", () => {
  compile(join(directory, "program.mjs"), join(directory, "compiled"));
  const files = readdirSync(join(directory, "compiled"), { recursive: true, withFileTypes: true });
  const modes = files.map((one) => statSync(join(one.parentPath, one.name)).mode & 0o777);
  expect(new Set(modes)).toEqual(new Set([0o644, 0o755]));
  renameSync(directory, `${directory}-moved`);
  directory = `${directory}-moved`;
  expect(said()).toContain("program.mjs was accepted");
});

test("a program that changed meanwhile is compiled again", () => {
  compile(join(directory, "program.mjs"), join(directory, "compiled"));
  writeFileSync(join(directory, "program.mjs"), "export const answer = (() => 43)();\n");
  const told = said();
  expect(told).toContain("code hash mismatch");
  expect(told).not.toContain("was accepted");
});
