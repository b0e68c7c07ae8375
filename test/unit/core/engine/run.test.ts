import { describe, expect, test } from "vitest";
import { FabricError, LostConnection, type ErrorCode } from "../../../../core/error.ts";
import type { StepEvent } from "../../../../core/engine/report.ts";
import { converge } from "../../../../core/engine/run.ts";
import type { ActingStep, Step } from "../../../../core/engine/step.ts";

/** A world of facts; each step makes one true. Each comes after some that stand before it; `adjusted` has another one made of it. */
function steps(
  graph: Record<string, readonly string[]>,
  facts: Set<string>,
  failing: readonly string[] = [],
  adjusted: (step: ActingStep) => Step = (step) => step,
): Step[] {
  const made = new Map<string, Step>();
  for (const [id, names] of Object.entries(graph)) {
    const step: ActingStep = {
      id,
      title: `step ${id}`,
      after: names.flatMap((name) => made.get(name) ?? []),
      async observe() {
        for (const before of names)
          if (!facts.has(before)) throw new Error(`${id} was looked at before ${before} was so`);
        return facts.has(id) ? { is: "so" } : { is: "differs", change: `make ${id}` };
      },
      async act() {
        if (failing.includes(id)) throw new FabricError("rejected", `${id} is impossible`, { hint: "give up" });
        facts.add(id);
      },
    };
    made.set(id, adjusted(step));
  }
  return [...made.values()];
}

const diamond = { a: [], b: ["a"], c: ["a"], d: ["b", "c"] };

describe("converge", () => {
  test("makes everything so, in order, and does nothing the second time", async () => {
    const facts = new Set<string>();
    const first = await converge(steps(diamond, facts));
    expect(first).toMatchObject({ changed: 4, unchanged: 0 });
    const second = await converge(steps(diamond, facts));
    expect(second).toMatchObject({ changed: 0, unchanged: 4 });
  });

  test("a dry run changes nothing and shows what would follow", async () => {
    const facts = new Set(["a"]);
    const report = await converge(steps(diamond, facts), { dryRun: true });
    expect([...facts]).toEqual(["a"]);
    expect(report).toMatchObject({ changed: 0, unchanged: 1, wouldChange: 3 });
    expect(report.outcomes.get("b")).toEqual({ result: "would-change", detail: "make b" });
  });

  test("a dry run looks at what comes after a change of what is there already", async () => {
    const facts = new Set(["b", "c"]);
    const there = steps(diamond, facts, [], (step) => {
      const observe = async () =>
        facts.has(step.id)
          ? ({ is: "so" } as const)
          : ({ is: "differs", change: `change ${step.id}`, isThere: step.id === "a" } as const);
      return { ...step, observe };
    });
    const report = await converge(there, { dryRun: true });
    expect([...report.outcomes].map(([id, { result }]) => `${id} ${result}`)).toEqual([
      "a would-change",
      "b unchanged",
      "c unchanged",
      "d would-change",
    ]);
    expect(report).toMatchObject({ changed: 0, unchanged: 2, wouldChange: 2 });
  });

  test("a check changes nothing, and in a dry run hides nothing behind it", async () => {
    const looked: string[] = [];
    const acted: string[] = [];
    const step = (id: string, after: readonly Step[]): Step => ({
      id,
      title: `step ${id}`,
      after,
      async observe() {
        looked.push(id);
        return { is: "differs", change: `make ${id}` };
      },
      async act() {
        acted.push(id);
      },
    });
    const check: Step = { ...step("check", []), isCheck: true };
    const plan = [check, step("next", [check])];
    const dry = await converge(plan, { dryRun: true });
    expect(dry.outcomes.get("check")).toEqual({ result: "unchanged", detail: "make check" });
    expect([looked, acted, dry.wouldChange]).toEqual([["check", "next"], [], 1]);
    expect(await converge(plan)).toMatchObject({ changed: 1, unchanged: 1 });
    expect(acted).toEqual(["check", "next"]);
  });

  test("what only acting finds to be so is no change, and what comes after it goes on", async () => {
    const found: Step = {
      id: "asked",
      title: "asked",
      after: [],
      observe: async () => ({ is: "differs", change: "unless it is so" }),
      act: async () => ({ unchanged: "it was so" }),
    };
    const next: Step = { ...found, id: "next", after: [found], act: async () => "done" };
    const report = await converge([found, next]);
    expect(report).toMatchObject({ changed: 1, unchanged: 1 });
    expect(report.outcomes.get("asked")).toEqual({ result: "unchanged", detail: "it was so" });
    expect((await converge([found], { dryRun: true })).wouldChange).toBe(1);
  });

  test("a failure stops what comes after it and nothing else; the error keeps its code", async () => {
    const facts = new Set<string>();
    const ended: StepEvent[] = [];
    const run = converge(steps(diamond, facts, ["b"]), { onEvent: (event) => ended.push(event) });
    expect((await run).failure).toMatchObject({ code: "rejected", message: "b is impossible" });
    expect([...facts].sort()).toEqual(["a", "c"]);
    expect(ended.find(({ type, step }) => type === "ended" && step.id === "d")).toMatchObject({
      outcome: { result: "skipped", because: "step b failed" },
    });
  });

  test("a step goes on despite the failures that it says, its own or of one before, and despite no other", async () => {
    const facts = new Set<string>();
    const [b, c, d] = steps({ b: [], c: ["b"], d: ["b", "c"] }, facts, ["b"]) as [Step, Step, Step];
    const observe = async () => (facts.has("d") ? ({ is: "so" } as const) : ({ is: "differs" } as const));
    const impossible = (failure: unknown) => failure instanceof FabricError && failure.message === "b is impossible";
    expect((await converge([b, c, { ...d, observe, despite: impossible }])).failure?.message).toBe("b is impossible");
    expect([...facts]).toEqual(["d"]);
    facts.clear();
    expect((await converge([b, c, { ...d, observe, despite: () => false }])).failure?.message).toBe("b is impossible");
    expect([...facts]).toEqual([]);
  });

  test("several failures are all named", async () => {
    const run = converge(steps(diamond, new Set(), ["b", "c"]));
    expect((await run).failure).toMatchObject({
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
      observe: () => Promise.resolve({ is: "differs" }),
      act: () => Promise.reject(new FabricError("not-ready", `Pod ${name}-0: container peer has no image`)),
    }));
    expect((await converge(failing)).failure).toMatchObject({
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
        return { is: "so" } as const;
      },
      act: async () => {},
    }));
    await converge(wide, { parallel: 3 });
    expect(most).toBe(3);
  });

  test("an abort lets running steps end, starts no other, and says what is left", async () => {
    const controller = new AbortController();
    const facts = new Set<string>();
    const aborting = steps(diamond, facts, [], (step) =>
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
    expect((await converge(aborting, { signal: controller.signal })).failure).toMatchObject({
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
    const run = converge([cut], { signal: controller.signal, onEvent: (event) => events.push(event) });
    expect((await run).failure).toMatchObject({ code, message: "stopped with 1 of 1 steps left, at: step a" });
    expect(events.at(-1)).toMatchObject({ outcome: { result } });
  });

  test("a deadline tells why the step that it cut off was not done, where that step knows", async () => {
    const controller = new AbortController();
    const plan = steps({ a: [], b: [] }, new Set());
    const cut = plan.map((step) => ({
      ...step,
      async act() {
        controller.abort(new FabricError("timeout", "gave up after 90 s"));
        if (step.id === "a") throw controller.signal.reason;
        throw new FabricError("timeout", "Deployment x was not ready: no image", { hint: "is its name right?" });
      },
    }));
    expect((await converge(cut, { signal: controller.signal })).failure).toMatchObject({
      code: "timeout",
      message: "gave up after 90 s with 2 of 2 steps left, at: step b: Deployment x was not ready: no image",
      hint: "is its name right?",
    });
  });

  const idle = (id: string, after: readonly Step[], rest: Partial<Step> = {}): Step => ({
    id,
    title: "",
    after,
    observe: async () => ({ is: "so" }),
    ...rest,
  });

  test("refuses the same id twice", async () => {
    await expect(converge([idle("a", []), idle("a", [])])).rejects.toThrow(/unique/);
  });

  test("refuses an unknown predecessor", async () => {
    await expect(converge([idle("a", [idle("z", [])])])).rejects.toThrow(/a comes after z/);
  });

  test("refuses turns that wait for each other", async () => {
    const c = idle("c", [], { lane: "nodes" });
    const b = idle("b", [c]);
    await expect(converge([idle("a", [b], { lane: "nodes" }), b, c])).rejects.toThrow(/a -> b -> c -> a/);
  });
});

describe("a run that does not come to its end has a report of every step", () => {
  const cutBy = (code: ErrorCode, controller: AbortController, a: Step): Step => ({
    ...(steps({ b: [] }, new Set())[0] as Step),
    after: [a],
    async act() {
      controller.abort(new FabricError(code, "stopped"));
      throw new FabricError("timeout", "no answer yet");
    },
  });
  const first = () => steps({ a: [] }, new Set())[0] as Step;

  test("that fails: the failure is the step's own", async () => {
    const { failure, outcomes, changed } = await converge(steps(diamond, new Set(), ["b"]));
    expect(outcomes.get("b")).toEqual({ result: "failed", error: failure });
    expect(outcomes.get("d")).toEqual({ result: "skipped", because: "step b failed", failure });
    expect([[...outcomes.keys()].toSorted(), changed]).toEqual([["a", "b", "c", "d"], 2]);
  });

  test("that fails at its beginning: all that is left names what failed, not what was left before it", async () => {
    const { outcomes } = await converge(steps({ a: [], b: ["a"], c: ["b"] }, new Set(), ["a"]));
    expect(outcomes.get("b")).toMatchObject({ because: "step a failed" });
    expect(outcomes.get("c")).toMatchObject({ because: "step a failed" });
  });

  test("that meets a defect: it is the cause", async () => {
    const defect = new TypeError("x is no y");
    const { failure } = await converge([{ ...first(), act: () => Promise.reject(defect) }]);
    expect(failure).toMatchObject({ code: "internal", message: "x is no y", cause: defect });
  });

  test.each([
    ["interrupted", "interrupted", { result: "skipped", because: "interrupted" }],
    ["out of time", "timeout", { result: "failed", error: { message: "no answer yet" } }],
  ] as const)("that is %s: what was done, cut off and not begun", async (_, code, cut) => {
    const controller = new AbortController();
    const a = first();
    const b = cutBy(code, controller, a);
    const [c, d] = steps({ c: [], d: [] }, new Set()) as [Step, Step];
    const plan = [a, b, { ...c, after: [b] }, { ...d, after: [a] }];
    const report = await converge(plan, { parallel: 1, signal: controller.signal });
    expect(report).toMatchObject({ changed: 1, failure: { code, cause: controller.signal.reason as Error } });
    expect(Object.fromEntries(report.outcomes)).toMatchObject({
      a: { result: "changed" },
      b: cut,
      c: { result: "skipped", because: "interrupted" },
      d: { result: "skipped", because: "interrupted" },
    });
  });

  test("that was interrupted before it began", async () => {
    const { outcomes, failure } = await converge(steps(diamond, new Set()), { signal: AbortSignal.abort() });
    expect([...outcomes.values()].map(({ result }) => result)).toEqual(Array(4).fill("skipped"));
    expect(failure).toMatchObject({ code: "interrupted", message: expect.stringMatching(/4 of 4 steps left/) });
  });
});

test("a run that comes to its end has no failure", async () => {
  expect((await converge(steps(diamond, new Set()))).failure).toBeUndefined();
});

describe("a connection that is lost", () => {
  const lossy = (losses: number, error: (count: number) => Error = () => new LostConnection("cut")): Step => {
    let count = 0;
    return {
      id: "lossy",
      title: "a step over a connection",
      after: [],
      observe: async () => ({ is: "differs", change: "send it" }),
      act: async () => {
        if (count++ < losses) throw error(count);
        return "sent";
      },
    };
  };
  const sleep = async () => {};

  test("is made anew, and the user sees it", async () => {
    const events: StepEvent[] = [];
    const { outcomes } = await converge([lossy(2)], { sleep, onEvent: (event) => events.push(event) });
    expect(outcomes.get("lossy")).toEqual({ result: "changed", detail: "sent" });
    expect(events.flatMap((event) => (event.type === "again" ? [event.because] : []))).toEqual(["cut", "cut"]);
  });

  test("is looked at before acting again: what was done is not done twice, and was a change", async () => {
    let done = 0;
    const step: Step = {
      ...lossy(0),
      observe: async () => (done > 0 ? { is: "so" } : { is: "differs" }),
      act: async () => {
        done += 1;
        throw new LostConnection("cut as it was done");
      },
    };
    const { changed } = await converge([step], { sleep });
    expect([changed, done]).toEqual([1, 1]);
  });

  test("is not made anew for ever", async () => {
    const run = converge([lossy(9)], { sleep });
    expect((await run).failure).toMatchObject({ code: "connection", message: "cut" });
  });

  test("what a cut has behind it counts as one; a connection that was refused from the start does not", async () => {
    const refused = () => new FabricError("connection", "refused");
    const step = lossy(2, (count) => (count === 1 ? new LostConnection("cut") : refused()));
    expect(await converge([step], { sleep })).toMatchObject({ changed: 1 });
    expect((await converge([lossy(1, refused)], { sleep })).failure).toMatchObject({ message: "refused" });
  });

  test("anything else after it ends it at once", async () => {
    const rejected = (count: number) =>
      count === 1 ? new LostConnection("cut") : new FabricError("rejected", `rejected at ${count}`);
    expect((await converge([lossy(9, rejected)], { sleep })).failure).toMatchObject({ message: "rejected at 2" });
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
  expect((await converge([late("a"), late("b")])).failure).toMatchObject({ code: "not-ready", hint: "later" });
});

describe("steps that interrupt what runs", () => {
  /** Each takes its time to be looked at, the later the shorter; `acting` is what acts just now. */
  function line(names: readonly string[], { failing = "", calm = "" } = {}) {
    const acted: string[] = [];
    let acting = 0;
    let most = 0;
    const all = names.map((id, index): ActingStep => ({
      id,
      title: `step ${id}`,
      after: [],
      lane: "nodes",
      async observe() {
        for (let tick = names.length - index; tick > 0; tick--) await new Promise((resolve) => setImmediate(resolve));
        return { is: "differs", interrupts: id !== calm };
      },
      async act() {
        most = Math.max(most, ++acting);
        await new Promise((resolve) => setImmediate(resolve));
        acting--;
        if (id === failing) throw new FabricError("not-ready", `${id} is down`);
        acted.push(id);
      },
    }));
    return { all, acted, most: () => most };
  }

  test("act one at a time in the order of the plan, with fewer places than steps, too", async () => {
    for (const parallel of [1, 2, 8]) {
      const { all, acted, most } = line(["a", "b", "c"]);
      expect(await converge(all, { parallel })).toMatchObject({ changed: 3 });
      expect([acted, most()]).toEqual([["a", "b", "c"], 1]);
    }
  });

  test("leave room for what they wait for", async () => {
    const { all, acted } = line(["a", "b", "c"]);
    const [a, b, c] = all as [Step, Step, Step];
    const { lane: _, ...before } = {
      ...c,
      id: "before",
      observe: () => Promise.resolve({ is: "so" } as const),
    };
    // With one place: b waits for a, which waits for what begins only when b leaves its place.
    await converge([{ ...a, after: [before] }, b, before], { parallel: 1 });
    expect(acted).toEqual(["a", "b"]);
  });

  test("do not act after one that failed in its turn; what interrupts nothing does", async () => {
    const { all, acted } = line(["a", "b", "c", "d"], { failing: "b", calm: "d" });
    const ended = new Map<string, StepEvent>();
    const run = converge(all, { onEvent: (event) => event.type === "ended" && ended.set(event.step.id, event) });
    expect((await run).failure).toMatchObject({ code: "not-ready", message: "b is down" });
    expect(acted.toSorted()).toEqual(["a", "d"]);
    expect(ended.get("c")).toMatchObject({ outcome: { result: "skipped", because: "step b failed" } });
  });

  test("one that failed before its turn came stops nobody", async () => {
    const { all, acted } = line(["a", "b"]);
    const [a, b] = all as [Step, Step];
    const blind = { ...a, observe: () => Promise.reject(new FabricError("forbidden", "not allowed to look")) };
    expect((await converge([blind, b])).failure).toMatchObject({ code: "forbidden" });
    expect(acted).toEqual(["b"]);
  });

  test("go on when those before them in the line are left, in whatever order the plan names what failed", async () => {
    const { all, acted } = line(["left", "b"]);
    const [left, b] = all as [Step, Step];
    const bad: Step = {
      ...b,
      id: "bad",
      async observe() {
        // Not before b waits for its turn.
        for (let tick = 9; tick > 0; tick--) await new Promise((resolve) => setImmediate(resolve));
        throw new FabricError("rejected", "bad is impossible");
      },
    };
    const { lane: _, ...calm } = bad;
    const between: Step = { ...calm, id: "between", after: [calm] };
    const plan = [{ ...left, after: [between] }, b, between, calm];
    expect((await converge(plan)).failure?.message).toBe("bad is impossible");
    expect(acted).toEqual(["b"]);
  });

  test("wait for the one that acts also where the second look shows that they interrupt, which the first did not", async () => {
    const { all, acted, most } = line(["a", "b"]);
    const [a, b] = all as [ActingStep, ActingStep];
    let looks = 0;
    const turned: Step = {
      ...a,
      observe: async () => ({ is: "differs", interrupts: looks++ > 0 }),
      // b, which it has let go before, acts by the time that it looks again.
      act: (context) => (looks > 1 ? a.act(context) : Promise.reject(new LostConnection("cut"))),
    };
    const acts = Promise.withResolvers<void>();
    const slow: Step = {
      ...b,
      async act(context) {
        const acting = b.act(context);
        acts.resolve();
        return acting;
      },
    };
    const sleep = () => acts.promise;
    await converge([turned, slow], { sleep });
    expect([acted, most()]).toEqual([["b", "a"], 1]);
  });

  test("an interruption ends the one that acts and those that wait", async () => {
    const interrupt = new AbortController();
    const { all, acted } = line(["b", "c"]);
    const first: Step = {
      ...(all[0] as Step),
      id: "a",
      act: ({ signal }) => {
        interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
        return Promise.reject(signal.reason as Error);
      },
    };
    expect((await converge([first, ...all], { signal: interrupt.signal })).failure).toMatchObject({
      code: "interrupted",
      message: expect.stringContaining("3 of 3 steps left"),
    });
    expect(acted).toEqual([]);
  });
});
