import { expect, test } from "vitest";
import { newBuildTurn } from "../../../../../core/chaincode/seed/build-turn.ts";
import { FabricError } from "../../../../../core/error.ts";

const context = { signal: new AbortController().signal, progress: () => {} };

test("one builds, the others wait for it and look again", async () => {
  const turn = newBuildTurn();
  const done = Promise.withResolvers<void>();
  let built = false;
  const first = turn.take("a", () => done.promise, context);
  const others = ["b", "c"].map((host) => turn.take(host, () => Promise.reject(new Error("a second build")), context));
  const told = others.map((other) => other.then(() => built));
  built = true;
  done.resolve();
  expect(await first).toBe(true);
  expect(await Promise.all(others)).toEqual([false, false]);
  expect(await Promise.all(told)).toEqual([true, true]);
});

test("a build that failed is not tried again by those who waited", async () => {
  const turn = newBuildTurn();
  const broken = new FabricError(
    "rejected",
    "could not build chaincode: docker build failed: Error returned from build: 1",
  );
  const first = turn.take("peer0.org1", () => Promise.reject(broken), context);
  const second = turn.take("peer0.org2", () => Promise.resolve(), context);
  await expect(first).rejects.toBe(broken);
  await expect(second).rejects.toMatchObject({ code: "rejected", message: expect.stringContaining("peer0.org1") });
});

test("when a peer is gone, the next builds", async () => {
  const turn = newBuildTurn();
  const first = turn.take("a", () => Promise.reject(new FabricError("connection", "lost")), context);
  const second = turn.take("b", () => Promise.resolve(), context);
  await expect(first).rejects.toMatchObject({ code: "connection" });
  expect(await second).toBe(false);
  expect(await turn.take("b", () => Promise.resolve(), context)).toBe(true);
});
