import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FabricError, type ErrorCode } from "../../../../core/error.ts";
import { eventually } from "../../../../core/engine/eventually.ts";

// Time passes when a test says so, and nothing takes any.
beforeEach(() => void vi.useFakeTimers({ fakeNodeBuiltins: true }));
afterEach(() => void vi.useRealTimers());

const { signal } = new AbortController();

/** Fails with these codes, one after the other, then works; `at` says when it was tried, in milliseconds. */
function failing(...codes: readonly ErrorCode[]) {
  const begin = performance.now();
  const at: number[] = [];
  const attempt = async () => {
    const code = codes[at.length];
    at.push(performance.now() - begin);
    if (code) throw new FabricError(code, `attempt ${at.length}`);
    return at.length;
  };
  return { attempt, at };
}

const never = () => failing(...Array.from({ length: 999 }, () => "not-ready" as const));

/** How it ends, when time passes as long as anybody waits. */
async function endOf(running: Promise<unknown>): Promise<unknown> {
  const ended = running.catch((error: unknown) => error);
  await vi.runAllTimersAsync();
  return ended;
}

test("tries again what may still come", async () => {
  const { attempt, at } = failing("not-ready", "connection");
  expect(await endOf(eventually(attempt, { signal, retry: ["not-ready", "connection"] }))).toBe(3);
  expect(at).toEqual([0, 100, 300]);
});

test("throws anything else at once", async () => {
  const { attempt, at } = failing("not-ready", "rejected", "not-ready");
  expect(await endOf(eventually(attempt, { signal, retry: ["not-ready"] }))).toMatchObject({ message: "attempt 2" });
  expect(at).toEqual([0, 100]);
});

test.each([
  ["before the next attempt", 5099, [0, 100, 300, 700, 1500, 3100]],
  ["with the next attempt", 5100, [0, 100, 300, 700, 1500, 3100, 5100]],
  ["before the first pause is", 99, [0]],
])("throws the last failure when time is over %s", async (_, within, times) => {
  const { attempt, at } = never();
  const end = await endOf(eventually(attempt, { signal, within, retry: ["not-ready"] }));
  expect(end).toMatchObject({ code: "not-ready", message: `attempt ${times.length}` });
  expect(at).toEqual(times);
});

test("tries as long as the signal lets it unless told", async () => {
  const { attempt, at } = never();
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 600_000);
  const end = await endOf(eventually(attempt, { signal: controller.signal, retry: ["not-ready"] }));
  expect(end).toMatchObject({ message: `attempt ${at.length}` });
  expect(at.at(-1)).toBe(600_000);
});

test("what an attempt takes is a part of the time", async () => {
  const { attempt, at } = never();
  const slow = async () => {
    vi.advanceTimersByTime(1000);
    return attempt();
  };
  await endOf(eventually(slow, { signal, within: 2200, retry: ["not-ready"] }));
  expect(at).toEqual([1000, 2100]);
});

test("an abort during an attempt makes that the last", async () => {
  const { attempt, at } = never();
  const controller = new AbortController();
  const aborting = async () => {
    if (at.length === 1) controller.abort();
    return attempt();
  };
  const end = await endOf(eventually(aborting, { signal: controller.signal, retry: ["not-ready"] }));
  expect(end).toMatchObject({ message: "attempt 2" });
  expect(at).toEqual([0, 100]);
});

test("an abort during a pause ends it: one attempt more says why", async () => {
  const { attempt, at } = never();
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 150);
  const end = await endOf(eventually(attempt, { signal: controller.signal, retry: ["not-ready"] }));
  expect(end).toMatchObject({ message: "attempt 3" });
  expect(at).toEqual([0, 100, 150]);
});

test.each(["interrupted", "timeout"] as const)(
  "cut off (%s) it throws what failed before: why it took so long",
  async (cutOff) => {
    const cut = new AbortController();
    const { attempt } = failing("not-ready", "not-ready", cutOff);
    const counted = async () => {
      const end = attempt();
      await end.catch(({ code }: FabricError) => code === cutOff && cut.abort());
      return end;
    };
    const end = await endOf(eventually(counted, { signal: cut.signal, retry: ["not-ready"] }));
    expect(end).toMatchObject({ code: "not-ready", message: "attempt 2" });
  },
);
