// Tests to be stopped (test/unit/scripts/orderly-stop.test.ts). What they do is told by files in the folder that STOPPED_SUITE names.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";

const folder = process.env["STOPPED_SUITE"] ?? "";
const tell = (what: string): void => writeFileSync(join(folder, what), "");

/** Bounded: a worker may outlive what started it. */
async function mayEnd(): Promise<boolean> {
  for (let look = 0; look < 1000; look++) {
    if (existsSync(join(folder, "may end"))) return true;
    await sleep(50);
  }
  return false;
}

afterAll(async () => {
  tell("clearing up");
  await mayEnd();
  tell("cleared up");
}, 60_000);

test("runs on", { timeout: 60_000 }, async () => {
  tell("begun");
  expect(await mayEnd()).toBe(true);
});

test("comes after it", () => {
  tell("came after");
  expect(folder).not.toBe("");
});
