import { expect, test } from "vitest";
import { onceEach } from "../../../../core/engine/once.ts";

test("who asks meanwhile or later gets what the first one asked for", async () => {
  const once = onceEach<number>();
  let made = 0;
  const make = () => Promise.resolve(++made);
  expect(await Promise.all([once("a", make), once("a", make), once("b", make)])).toEqual([1, 1, 2]);
  expect(await once("a", make)).toBe(1);
});

test("what failed fails for all who waited for it, and is tried again by the next", async () => {
  const once = onceEach<string>();
  const waiting = [once("a", () => Promise.reject(new Error("away"))), once("a", () => Promise.resolve("never asked"))];
  expect(await Promise.allSettled(waiting)).toMatchObject([
    { reason: { message: "away" } },
    { reason: { message: "away" } },
  ]);
  expect(await once("a", () => Promise.resolve("here"))).toBe("here");
});
