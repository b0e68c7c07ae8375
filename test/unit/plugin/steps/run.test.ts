import { describe, expect, test } from "vitest";
import { FabricError, LostConnection } from "../../../../plugin/error.ts";
import { runSteps, type StepEvent } from "../../../../plugin/steps/run.ts";
import type { Step } from "../../../../plugin/steps/step.ts";

/** A world of facts; each step makes one true. */
function steps(graph: Record<string, readonly string[]>, facts: Set<string>, failing: readonly string[] = []): Step[] {
  return Object.entries(graph).map(([id, after]) => ({
    id,
    title: `step ${id}`,
    after,
    async observe() {
      for (const before of after)
        if (!facts.has(before)) throw new Error(`${id} was looked at before ${before} was so`);
      return facts.has(id) ? { done: true } : { done: false, change: `make ${id}` };
    },
    async act() {
      if (failing.includes(id)) throw new FabricError("rejected", `${id} is impossible`, { hint: "give up" });
      facts.add(id);
    },
  }));
}

const diamond = { a: [], b: ["a"], c: ["a"], d: ["b", "c"] };

describe("runSteps", () => {
  test("makes everything so, in order, and does nothing the second time", async () => {
    const facts = new Set<string>();
    const first = await runSteps(steps(diamond, facts));
    expect(first).toMatchObject({ changed: 4, unchanged: 0 });
    const second = await runSteps(steps(diamond, facts));
    expect(second).toMatchObject({ changed: 0, unchanged: 4 });
  });

  test("a dry run changes nothing and shows what would follow", async () => {
    const facts = new Set(["a"]);
    const report = await runSteps(steps(diamond, facts), { dryRun: true });
    expect([...facts]).toEqual(["a"]);
    expect(report).toMatchObject({ changed: 0, unchanged: 1, wouldChange: 3 });
    expect(report.outcomes.get("b")).toEqual({ result: "would-change", detail: "make b" });
  });

  test("a failure stops what comes after it and nothing else; the error keeps its code", async () => {
    const facts = new Set<string>();
    const ended: StepEvent[] = [];
    const run = runSteps(steps(diamond, facts, ["b"]), { onEvent: (event) => ended.push(event) });
    await expect(run).rejects.toMatchObject({ code: "rejected", message: "b is impossible" });
    expect([...facts].sort()).toEqual(["a", "c"]);
    expect(ended.find(({ type, step }) => type === "ended" && step.id === "d")).toMatchObject({
      outcome: { result: "skipped", because: "step b failed" },
    });
  });

  test("several failures are all named", async () => {
    const run = runSteps(steps(diamond, new Set(), ["b", "c"]));
    await expect(run).rejects.toMatchObject({
      code: "steps-failed",
      message: "2 steps failed:\n  step b: b is impossible\n  step c: c is impossible",
      hint: "give up",
    });
  });

  test("a reason that several steps have is told once", async () => {
    const failing = ["peer0", "peer1", "peer2"].map((name): Step => ({
      id: name,
      title: `${name} is ready`,
      after: [],
      observe: () => Promise.resolve({ done: false }),
      act: () => Promise.reject(new FabricError("not-ready", `Pod ${name}-0: container peer has no image`)),
    }));
    await expect(runSteps(failing)).rejects.toMatchObject({
      code: "not-ready",
      message: "3 steps failed:\n  peer0 is ready, peer1 is ready, peer2 is ready: container peer has no image",
    });
  });

  test("runs as many side by side as allowed, never more", async () => {
    let now = 0;
    let most = 0;
    const wide = Array.from({ length: 10 }, (_, index) => ({
      id: String(index),
      title: "",
      after: [],
      async observe() {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 1));
        now--;
        return { done: true } as const;
      },
      act: async () => {},
    }));
    await runSteps(wide, { parallel: 3 });
    expect(most).toBe(3);
  });

  test("an abort lets running steps end, starts no other, and says what is left", async () => {
    const controller = new AbortController();
    const facts = new Set<string>();
    const plan = steps(diamond, facts);
    const aborting = plan.map((step) =>
      step.id === "a"
        ? {
            ...step,
            async act() {
              facts.add("a");
              controller.abort(new Error("Ctrl-C"));
            },
          }
        : step,
    );
    await expect(runSteps(aborting, { signal: controller.signal })).rejects.toMatchObject({
      code: "interrupted",
      message: "Ctrl-C with 3 of 4 steps left, at: step b",
    });
    expect([...facts]).toEqual(["a"]);
  });

  test.each([
    ["Ctrl-C", "interrupted", "skipped"],
    ["a deadline", "timeout", "failed"],
  ] as const)("what %s cuts off ends as it should", async (_, code, result) => {
    const controller = new AbortController();
    const [step] = steps({ a: [] }, new Set());
    const cut = {
      ...(step as Step),
      async act() {
        controller.abort(new FabricError(code, "stopped"));
        throw new Error("Cancelled on client");
      },
    };
    const events: StepEvent[] = [];
    const run = runSteps([cut], { signal: controller.signal, onEvent: (event) => events.push(event) });
    await expect(run).rejects.toMatchObject({ code, message: "stopped with 1 of 1 steps left, at: step a" });
    expect(events.at(-1)).toMatchObject({ outcome: { result } });
  });

  test.each([
    [
      "the same id twice",
      [
        { id: "a", after: [] },
        { id: "a", after: [] },
      ],
      /unique/,
    ],
    ["an unknown predecessor", [{ id: "a", after: ["z"] }], /a comes after z/],
    [
      "a circle",
      [
        { id: "a", after: ["b"] },
        { id: "b", after: ["a"] },
      ],
      /a -> b -> a/,
    ],
  ])("refuses %s", async (_, shapes, message) => {
    const plan = shapes.map((shape) => ({
      ...shape,
      title: "",
      observe: async () => ({ done: true }) as const,
      act: async () => {},
    }));
    await expect(runSteps(plan)).rejects.toThrow(message);
  });
});

describe("a connection that is lost", () => {
  const lossy = (losses: number, error: (count: number) => Error = () => new LostConnection("cut")): Step => {
    let count = 0;
    return {
      id: "lossy",
      title: "a step over a connection",
      after: [],
      observe: async () => ({ done: false, change: "send it" }),
      act: async () => {
        if (count++ < losses) throw error(count);
        return "sent";
      },
    };
  };
  const pauses = [1, 1, 1];

  test("is made anew, and the user sees it", async () => {
    const events: StepEvent[] = [];
    const { outcomes } = await runSteps([lossy(2)], { pauses, onEvent: (event) => events.push(event) });
    expect(outcomes.get("lossy")).toEqual({ result: "changed", detail: "sent" });
    expect(events.flatMap((event) => (event.type === "again" ? [event.because] : []))).toEqual(["cut", "cut"]);
  });

  test("is looked at before acting again: what was done is not done twice, and was a change", async () => {
    let done = 0;
    const step: Step = {
      ...lossy(0),
      observe: async () => (done > 0 ? { done: true } : { done: false }),
      act: async () => {
        done += 1;
        throw new LostConnection("cut as it was done");
      },
    };
    const { changed } = await runSteps([step], { pauses });
    expect([changed, done]).toEqual([1, 1]);
  });

  test("is not made anew for ever", async () => {
    const run = runSteps([lossy(9)], { pauses });
    await expect(run).rejects.toMatchObject({ code: "connection", message: "cut" });
  });

  test("what a cut has behind it counts as one; a connection that was refused from the start does not", async () => {
    const refused = () => new FabricError("connection", "refused");
    const step = lossy(2, (count) => (count === 1 ? new LostConnection("cut") : refused()));
    expect(await runSteps([step], { pauses })).toMatchObject({ changed: 1 });
    await expect(runSteps([lossy(1, refused)], { pauses })).rejects.toMatchObject({ message: "refused" });
  });

  test("anything else after it ends it at once", async () => {
    const rejected = (count: number) =>
      count === 1 ? new LostConnection("cut") : new FabricError("rejected", `rejected at ${count}`);
    await expect(runSteps([lossy(9, rejected)], { pauses })).rejects.toMatchObject({ message: "rejected at 2" });
  });
});

test("several that are not ready are not ready together", async () => {
  const late = (id: string): Step => ({
    id,
    title: id,
    after: [],
    observe: () => Promise.reject(new FabricError("not-ready", `${id} is not ready`, { hint: "later" })),
    act: async () => {},
  });
  await expect(runSteps([late("a"), late("b")])).rejects.toMatchObject({ code: "not-ready", hint: "later" });
});
