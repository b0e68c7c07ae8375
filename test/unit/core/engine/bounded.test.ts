import { expect, test } from "vitest";
import { eachBounded } from "../../../../core/engine/bounded.ts";

test("results come in the order of the items, whoever is done first", async () => {
  const first = Promise.withResolvers<void>();
  const results = await eachBounded([1, 2, 3], 2, async (item) => {
    if (item === 1) await first.promise;
    if (item === 3) first.resolve();
    return item * 10;
  });
  expect(results).toEqual([10, 20, 30]);
});

test("after a failure nothing more is begun, and what is under way ends by itself", async () => {
  const begun: number[] = [];
  const slow = Promise.withResolvers<void>();
  const run = eachBounded([1, 2, 3, 4], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error("the first is not there");
    await slow.promise;
  });
  await expect(run).rejects.toThrow("the first is not there");
  slow.resolve();
  await new Promise(setImmediate);
  expect(begun).toEqual([1, 2]);
});
