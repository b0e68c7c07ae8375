import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";

/** Ends when the other one has begun: of suites that run one after the other none does. */
export async function meet(own: string, other: string): Promise<void> {
  const folder = process.env["TWO_SUITES"] ?? "";
  writeFileSync(join(folder, own), "");
  await expect.poll(() => existsSync(join(folder, other)), { timeout: 30_000 }).toBe(true);
}
