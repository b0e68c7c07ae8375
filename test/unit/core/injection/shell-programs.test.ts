import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { array, assert, property, string } from "fast-check";
import { describe, expect, test } from "vitest";
import { archivesDirectory, pullSecretsDirectory } from "../../../../core/injection/preload.ts";
import { shellFunction } from "../../../../core/injection/shell-function.ts";

const programs = ["idle", "preload", "start-alone", "await-ready"];
const textOf = (name: string) =>
  readFileSync(join(import.meta.dirname, `../../../../core/injection/${name}.sh`), "utf8");

describe("the programs of injected containers", () => {
  // The kubelet makes one of two dollars in a command (k8s.io/kubernetes, third_party/forked/golang/expansion).
  test.each(programs)("%s is what the container runs, too", (name) => {
    expect(textOf(name)).not.toContain("$$");
    expect(textOf(name)).not.toMatch(/\$\([A-Z_]+\)/);
  });

  test("preload looks where credentials and archives are mounted", () => {
    const paths = [...textOf("preload").matchAll(/\/kubectl-fabric[\w-]*/g)].map(([path]) => path);
    expect(new Set(paths)).toEqual(new Set([pullSecretsDirectory, archivesDirectory]));
  });
});

describe("a function of one command", () => {
  test("in words", () => {
    expect(shellFunction("ready", ["docker", "info"])).toBe("ready() { 'docker' 'info'; }");
    expect(shellFunction("ready", ["it's", "$HOME"])).toBe(`ready() { 'it'\\''s' '$HOME'; }`);
  });

  test("has the words as they are", () => {
    const word = string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));
    assert(
      property(array(word), (words) => {
        const script = `${shellFunction("say", ["printf", "%s\\0", ...words, "end"])}\nsay`;
        const { stdout } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
        expect(stdout.split("\0").slice(0, -1)).toEqual([...words, "end"]);
      }),
    );
  });
});
