import { expect, test } from "vitest";
import { meet } from "./meet.ts";

test("is red", { timeout: 40_000 }, async () => {
  await meet("second", "first");
  expect(1).toBe(2);
});
