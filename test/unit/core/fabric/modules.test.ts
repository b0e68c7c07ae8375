import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const folder = join(import.meta.dirname, "../../../../core/fabric");
const modules = globSync("**/*.ts", { cwd: folder });

// CommonJS libraries show Node other names than they show a bundler or vitest.
test("the modules of core/fabric load in plain Node", async () => {
  expect(modules.length).toBeGreaterThan(50);
  const script = modules.map((name) => `await import(${JSON.stringify(join(folder, name))});`).join("\n");
  const argv = ["--input-type=module", "-e", `${script}\nconsole.log("loaded");`];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  expect(stdout).toBe("loaded\n");
}, 60_000);
