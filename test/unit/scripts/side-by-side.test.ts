import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";

test("two suites run at the same time; each is told as a whole, and what one of them fails with is the end of both", async () => {
  const folder = mkdtempSync(join(tmpdir(), "two-suites-"));
  const child = spawn(process.execPath, [join(import.meta.dirname, "two-suites/main.ts")], {
    env: { ...process.env, TWO_SUITES: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, ended] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  rmSync(folder, { recursive: true, force: true });
  expect({ ended, stderr }).toMatchObject({ ended: [1, null] });
  // The first says something as it starts; the second all at its end, what vitest writes on standard error, too.
  expect(stdout.match(/Test Files .*/g)).toHaveLength(2);
  expect(stderr).not.toMatch(/is red/);
  expect(stdout).toMatch(/is red/);
});
