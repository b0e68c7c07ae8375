import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");
const config = join(import.meta.dirname, "stopped-suite/vitest.config.ts");
const patience = { timeout: 50_000, interval: 20 };

/** Tells what the tests do: stopped-suite/suite.ts. */
let folder: string;
let vitest: ChildProcess;
let stderr: string;
let ended: Promise<readonly unknown[]>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "orderly-stop-"));
  vitest = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", config], {
    env: { ...process.env, STOPPED_SUITE: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  stderr = "";
  vitest.stderr?.on("data", (data: Buffer) => (stderr += data.toString()));
  ended = once(vitest, "close");
  await expect.poll(() => existsSync(join(folder, "begun")), patience).toBe(true);
  vitest.kill("SIGTERM");
  await expect.poll(() => existsSync(join(folder, "clearing up")), patience).toBe(true);
  // Written before, and heard when it has come through the pipe.
  await expect.poll(() => stderr, patience).toContain("stopping: ");
});

const mayEnd = (): void => writeFileSync(join(folder, "may end"), "");

afterEach(async () => {
  mayEnd();
  vitest.kill("SIGKILL");
  await ended;
  // A worker may have outlived what started it, and write here yet.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
});

test("a stop gives up the test that runs, and waits for its hooks; no other begins", async () => {
  mayEnd();
  await ended;
  expect(readdirSync(folder).toSorted()).toEqual(["begun", "cleared up", "clearing up", "may end"]);
});

test("a second one ends at once", async () => {
  vitest.kill("SIGTERM");
  expect(await ended).toEqual([130, null]);
  expect(readdirSync(folder).toSorted()).toEqual(["begun", "clearing up"]);
});
