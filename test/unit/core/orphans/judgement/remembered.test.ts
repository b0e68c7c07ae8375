import { expect, test } from "vitest";
import { remembered } from "../../../../../core/orphans/judgement/remembered.ts";

test("an answer serves all who ask while it is good, counted from when it came", async () => {
  let now = 0;
  const open: PromiseWithResolvers<number>[] = [];
  const ask = remembered(
    () => {
      const one = Promise.withResolvers<number>();
      open.push(one);
      return one.promise;
    },
    () => 10,
    () => now,
  );
  const first = ask(undefined);
  now = 1000; // a slow answer is not asked for twice
  const second = ask(undefined);
  open[0]?.resolve(1);
  expect(await Promise.all([first, second])).toEqual([1, 1]);
  now = 1009;
  expect(await ask(undefined)).toBe(1);
  now = 1010;
  const third = ask(undefined);
  open[1]?.reject(new Error("no"));
  await expect(third).rejects.toThrow("no");
  const fourth = ask(undefined);
  open[2]?.resolve(2);
  expect(await fourth).toBe(2);
  expect(open).toHaveLength(3);
});
