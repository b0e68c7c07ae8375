import { expect, test } from "vitest";
import { meet } from "./meet.ts";

test("is green", { timeout: 40_000 }, async () => {
  await meet("first", "second");
  expect(1).toBe(1);
});
