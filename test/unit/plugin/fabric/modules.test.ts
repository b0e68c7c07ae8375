import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const folder = join(import.meta.dirname, "../../../../plugin/fabric");
const modules = readdirSync(folder).filter((name) => name.endsWith(".ts"));

describe("the modules of fabric", () => {
  it.each(modules)("%s knows nothing of Kubernetes, nor of what is above", (name) => {
    const imports = [...readFileSync(join(folder, name), "utf8").matchAll(/ from "([^"]+)"/g)].map(
      ([, from]) => from ?? "",
    );
    const local = imports.filter((from) => from.startsWith("."));
    expect(local.filter((from) => !/^\.\/[a-z-]+\.ts$/.test(from) && from !== "../error.ts")).toEqual([]);
    expect(imports.filter((from) => from.includes("kubernetes") || from === "express")).toEqual([]);
  });

  // CommonJS libraries show Node other names than they show a bundler or vitest.
  it("load in plain Node", async () => {
    const script = modules.map((name) => `await import(${JSON.stringify(join(folder, name))});`).join("\n");
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--input-type=module",
      "-e",
      `${script}\nconsole.log("loaded");`,
    ]);
    expect(stdout).toBe("loaded\n");
  }, 60_000);
});
