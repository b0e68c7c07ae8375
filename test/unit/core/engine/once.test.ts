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

test("what is kept for a time is made again after it, counted from when it came, and never twice side by side", async () => {
  let now = 0;
  const open: PromiseWithResolvers<string>[] = [];
  const once = onceEach<string>({ keptFor: (value) => value.length, now: () => now });
  const make = () => {
    const one = Promise.withResolvers<string>();
    open.push(one);
    return one.promise;
  };
  const waiting = [once("a", make)];
  now = 1000;
  waiting.push(once("a", make));
  open[0]?.resolve("abc");
  expect(await Promise.all(waiting)).toEqual(["abc", "abc"]);
  now = 1002;
  expect(await once("a", make)).toBe("abc");
  now = 1003;
  const failing = once("a", make);
  open[1]?.reject(new Error("away"));
  await expect(failing).rejects.toThrow("away");
  const again = once("a", make);
  open[2]?.resolve("d");
  expect(await again).toBe("d");
  expect(open).toHaveLength(3);
});
