import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findingsOf, shellPrograms } from "../../build/shellcheck.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "kubectl-fabric-shellcheck-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("programs for a shell are known by their ending or their first line, and only ours", () => {
  const found = shellPrograms(root).map(({ file, shell }) => ({ file: relative(root, file), shell }));
  expect(found).toContainEqual({ file: "core/injection/idle.sh", shell: "sh" });
  expect(found).toContainEqual({ file: "runner/toolchains/java/root/root/chaincode-java/start", shell: undefined });
  expect(found).toContainEqual({ file: ".ci/run", shell: undefined });
  expect(found.filter(({ file }) => file.includes("node_modules") || file.endsWith(".ts"))).toEqual([]);
});

test.each([
  ["what sh does not know is found", "a=(1)\necho $a\n", /:1:.*SC3030[^]*:2:.*SC2086/],
  ["bash knows it", '#!/bin/bash\na=(1)\necho "${a[0]}"\n', /^$/],
])("%s", (_, text, expected) => {
  writeFileSync(join(folder, "program.sh"), text);
  expect(findingsOf(shellPrograms(folder))).toMatch(expected);
});

test("shellcheck finds nothing in the programs of this project", () => {
  expect(findingsOf(shellPrograms(root))).toBe("");
});
