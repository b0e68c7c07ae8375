import { describe, expect, test } from "vitest";
import { FabricError, LostConnection } from "../../../../core/error.ts";
import type { StepEvent } from "../../../../core/engine/report.ts";
import { converge, pass, type RunOptions } from "../../../../core/engine/run.ts";
import { inTurn, scoped } from "../../../../core/engine/section.ts";
import type { Observation, Step } from "../../../../core/engine/step.ts";

const sleep = async () => {};

/** A step that sees one thing after the other, the last again and again; `acts` is how often it has acted. */
function seeing(id: string, observations: readonly Observation[], rest: Partial<Step> = {}) {
  const left = [...observations];
  const done = { acts: 0 };
  const step: Step = {
    id,
    title: `step ${id}`,
    after: [],
    observe: async () => (left.length > 1 ? left.shift() : left[0]) ?? { is: "so" },
    act: async () => void (done.acts += 1),
    ...rest,
  };
  return { step, done };
}

const late: Observation = { is: "waiting", missing: "the block is late", hint: "look at status" };
const so: Observation = { is: "so" };

describe("a step that waits", () => {
  test("is looked at again until it is so, and does not act; that it came is a change", async () => {
    const { step, done } = seeing("a", [late, late, so]);
    const events: StepEvent[] = [];
    const report = await converge([step], { sleep, onEvent: (event) => events.push(event) });
    expect([report.outcomes.get("a"), done.acts]).toEqual([{ result: "changed", detail: undefined }, 0]);
    expect(events.flatMap((event) => (event.type === "progress" ? [event.text] : []))).toEqual([
      "the block is late",
      "the block is late",
    ]);
  });

  test("acts when what it waited for shows that it has to", async () => {
    const { step, done } = seeing("a", [late, { is: "differs" }]);
    expect([(await converge([step], { sleep })).changed, done.acts]).toEqual([1, 1]);
  });

  test("costs no place: others go on meanwhile, and what is watched wakes it", async () => {
    const came = Promise.withResolvers<void>();
    const { step } = seeing("a", [{ is: "waiting", missing: "later", until: () => came.promise }, so]);
    const other = seeing("b", [{ is: "differs" }], { act: async () => came.resolve() });
    expect(await converge([step, other.step], { parallel: 1 })).toMatchObject({ changed: 2 });
  });

  test("may be what acting comes to: it is looked at again, and acts no second time when it is so", async () => {
    const { step, done } = seeing("a", [{ is: "differs", change: "remove it" }, so]);
    const removed: Step = {
      ...step,
      act: async (context) => {
        await step.act?.(context);
        return { is: "waiting", missing: "it is going", until: async () => {} };
      },
    };
    const report = await converge([removed]);
    expect([report.outcomes.get("a"), done.acts]).toEqual([{ result: "changed", detail: "remove it" }, 1]);
  });

  test("what cannot come any more fails it", async () => {
    const never = () => Promise.reject(new FabricError("not-ready", "no image"));
    const { step } = seeing("a", [{ is: "waiting", missing: "later", until: never }]);
    expect((await converge([step])).failure).toMatchObject({ code: "not-ready", message: "no image" });
  });

  test("a deadline tells what was missing, and what to type", async () => {
    const deadline = new AbortController();
    const pause: RunOptions["sleep"] = async () => deadline.abort(new FabricError("timeout", "gave up after 5 s"));
    const { step } = seeing("a", [late]);
    expect((await converge([step], { signal: deadline.signal, sleep: pause })).failure).toMatchObject({
      code: "timeout",
      message: "gave up after 5 s with 1 of 1 steps left, at: step a: the block is late",
      hint: "look at status",
    });
  });

  test("a deadline tells what the watch knows, where it knows more", async () => {
    const deadline = new AbortController();
    const until = async () => {
      deadline.abort(new FabricError("timeout", "gave up after 5 s"));
      throw new FabricError("timeout", "Deployment x was not ready: no image", { hint: "is its name right?" });
    };
    const { step } = seeing("a", [{ ...late, until }]);
    expect((await converge([step], { signal: deadline.signal })).failure).toMatchObject({
      message: expect.stringContaining("at: step a: Deployment x was not ready: no image"),
      hint: "is its name right?",
    });
  });

  test("looks again at once after a watch that took its time", async () => {
    let now = 0;
    const pauses: number[] = [];
    const watched: Observation = { ...late, until: async () => void (now += 1000) };
    const { step } = seeing("a", [watched, watched, watched, so]);
    await converge([step], { now: () => now, sleep: async (milliseconds) => void pauses.push(milliseconds) });
    expect(pauses).toEqual([]);
  });

  test("looks again after a pause where the watch wakes it for nothing", async () => {
    const pauses: number[] = [];
    const woken: Observation = { ...late, until: async () => {} };
    const { step } = seeing("a", [woken, woken, woken, so]);
    await converge([step], { sleep: async (milliseconds) => void pauses.push(milliseconds) });
    expect(pauses).toEqual([100, 300]);
  });

  test("is no worse off for a watch that is cut now and then", async () => {
    let now = 0;
    let cuts = 0;
    const until = async () => {
      now += 600_000;
      if (++cuts < 10) throw new LostConnection("cut");
    };
    const { step } = seeing("a", [...Array.from({ length: 10 }, () => ({ ...late, until })), so]);
    expect((await converge([step], { sleep, now: () => now })).changed).toBe(1);
  });

  test("Ctrl-C while it waits is no failure of it", async () => {
    const interrupt = new AbortController();
    const pause: RunOptions["sleep"] = async () => interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
    const { outcomes, failure } = await converge([seeing("a", [late]).step], {
      signal: interrupt.signal,
      sleep: pause,
    });
    expect([outcomes.get("a"), failure?.code]).toEqual([{ result: "skipped", because: "interrupted" }, "interrupted"]);
  });

  test("what it waited for is forgotten once it acts", async () => {
    const deadline = new AbortController();
    const { step } = seeing("a", [late, { is: "differs" }], {
      act: async () => {
        deadline.abort(new FabricError("timeout", "gave up after 5 s"));
        throw deadline.signal.reason;
      },
    });
    const { failure } = await converge([step], { signal: deadline.signal, sleep });
    expect(failure?.message).toBe("gave up after 5 s with 1 of 1 steps left, at: step a");
  });

  test("that something came between is no change, and a dry run waits for its end", async () => {
    const between: Observation = { is: "waiting", missing: "its Pod was replaced", isDisturbance: true };
    const { outcomes } = await converge([seeing("a", [between, so]).step], { sleep });
    expect(outcomes.get("a")?.result).toBe("unchanged");
    const dry = await converge([seeing("a", [between, { is: "differs", change: "x" }]).step], { sleep, dryRun: true });
    expect(dry.outcomes.get("a")).toEqual({ result: "would-change", detail: "x" });
  });

  test("a check that waits hides nothing behind it in a dry run", async () => {
    const check = seeing("a", [late], { isCheck: true });
    const next = seeing("b", [{ is: "differs", change: "x" }], { after: [check.step] });
    const { outcomes } = await converge([check.step, next.step], { dryRun: true });
    expect([outcomes.get("a")?.result, outcomes.get("b")]).toEqual([
      "unchanged",
      { result: "would-change", detail: "x" },
    ]);
  });

  test("what this run has begun is its change, also where it finds it so when it acts again", async () => {
    const { step, done } = seeing("a", [{ is: "differs", change: "call Init" }]);
    const twice: Step = {
      ...step,
      act: async (context) => {
        await step.act?.(context);
        return done.acts === 1 ? { is: "waiting", missing: "its block" } : { unchanged: "it was initialized already" };
      },
    };
    const { outcomes } = await converge([twice], { sleep });
    expect(outcomes.get("a")).toEqual({ result: "changed", detail: "call Init" });
  });

  test("in a dry run it would change, by what it will do then", async () => {
    const plan = [seeing("a", [late]).step, seeing("b", [{ ...late, change: "restart it" }]).step];
    const { outcomes, failure } = await converge(plan, { dryRun: true });
    expect([outcomes.get("a"), outcomes.get("b"), failure]).toEqual([
      { result: "would-change", detail: "the block is late" },
      { result: "would-change", detail: "restart it" },
      undefined,
    ]);
  });
});

describe("failures that may pass", () => {
  const busy = new FabricError("not-ready", "no leader");

  function failing(times: number, within?: number) {
    const { step, done } = seeing("a", [{ is: "differs" }], { patience: { with: ["not-ready"], within } });
    const act: Step["act"] = async (context) => {
      await step.act?.(context);
      if (done.acts <= times) throw busy;
    };
    return { step: { ...step, act }, done };
  }

  test("have the step act again", async () => {
    const { step, done } = failing(3);
    expect([(await converge([step], { sleep })).changed, done.acts]).toEqual([1, 4]);
  });

  test("for as long as it says", async () => {
    let now = 0;
    const { step } = failing(100, 1000);
    const options: RunOptions = { now: () => now, sleep: async (milliseconds) => void (now += milliseconds) };
    expect((await converge([step], options)).failure).toBe(busy);
    expect(now).toBeLessThanOrEqual(1000);
  });

  test("not longer although they are of the kind of a lost connection, too", async () => {
    let now = 0;
    const { step } = seeing("a", [{ is: "differs" }], {
      patience: { with: ["connection"], within: 60_000 },
      act: () => Promise.reject(new LostConnection("cut")),
    });
    const options: RunOptions = { now: () => now, sleep: async (milliseconds) => void (now += milliseconds) };
    expect((await converge([step], options)).failure?.message).toBe("cut");
    // And then as a lost connection, which is 17.5 s at most.
    expect(now).toBeLessThan(80_000);
  });

  test("do not include what cannot come any more, though it is of their kind", async () => {
    const never = () => Promise.reject(busy);
    const { step, done } = failing(0);
    const waits: Step = {
      ...step,
      act: async (context) => {
        await step.act?.(context);
        return { is: "waiting", missing: "its Pods", until: never };
      },
    };
    expect([(await converge([waits], { sleep })).failure, done.acts]).toEqual([busy, 1]);
  });

  test("are failures where it only looks, and in a single round", async () => {
    const { step } = failing(1);
    expect((await pass([step])).failure).toBe(busy);
    const blind: Step = { ...step, observe: () => Promise.reject(busy) };
    expect((await converge([blind], { sleep })).failure).toBe(busy);
  });
});

describe("a single round", () => {
  test("acts once, waits for nothing, and says what is missing; what comes after it is not begun", async () => {
    const { step, done } = seeing("a", [{ is: "differs" }], {
      act: async () => ({ is: "waiting", missing: "it is going", until: () => new Promise(() => {}) }),
    });
    const after = seeing("b", [so], { after: [step] });
    const waiting = seeing("c", [late]);
    const report = await pass([step, after.step, waiting.step]);
    expect(Object.fromEntries(report.outcomes)).toEqual({
      a: { result: "waiting", missing: "it is going", acted: true },
      b: { result: "skipped", because: "step a is waited for", failure: undefined },
      c: { result: "waiting", missing: "the block is late", acted: false },
    });
    expect([report.waiting, report.failure, done.acts]).toEqual([2, undefined, 0]);
  });

  test("gives no other step of the lane a turn while one that acted in a round before waits", async () => {
    const waits = seeing("a", [late], { lane: "nodes" });
    const other = seeing("b", [{ is: "differs", interrupts: true }], { lane: "nodes" });
    expect((await pass([waits.step, other.step])).outcomes.get("b")?.result).toBe("waiting");
    expect(other.done.acts).toBe(0);
  });

  test("gives no other step of the lane a turn while one that was given it waits", async () => {
    const restarting: Partial<Step> = {
      lane: "nodes",
      act: async () => ({ is: "waiting", missing: "it restarts" }),
    };
    const plan = ["a", "b"].map((id) => seeing(id, [{ is: "differs", interrupts: true }], restarting).step);
    expect(Object.fromEntries((await pass(plan)).outcomes)).toEqual({
      a: { result: "waiting", missing: "it restarts", acted: true },
      b: { result: "waiting", missing: "the turn of step a is not over", acted: false },
    });
  });
});

test("who had to wait for a turn looks again before it acts", async () => {
  const facts = new Set<string>();
  const both = (id: string): Step => ({
    id,
    title: id,
    after: [],
    lane: "nodes",
    observe: async () => (facts.size > 0 ? so : { is: "differs", interrupts: true }),
    act: async () => void facts.add(id),
  });
  expect(await converge([both("a"), both("b")])).toMatchObject({ changed: 1, unchanged: 1 });
  expect([...facts]).toEqual(["a"]);
});

test("lanes do not wait for each other", async () => {
  const second = Promise.withResolvers<void>();
  const first: Step = {
    ...seeing("a", [{ is: "differs", interrupts: true }]).step,
    lane: "north",
    act: () => second.promise,
  };
  const other: Step = { ...first, id: "b", lane: "south", act: async () => second.resolve() };
  expect(await converge([first, other])).toMatchObject({ changed: 2 });
});

describe("what somebody else has to do", () => {
  const failure = new FabricError("not-ready", "org2 has not approved", { hint: "org2 types: approve" });
  const required = seeing("a", [{ is: "required", of: "the administrator of org2", failure }]);

  test("is told with who it is, and ends the run", async () => {
    const report = await converge([required.step, seeing("b", [so], { after: [required.step] }).step]);
    expect(report.outcomes.get("a")).toEqual({ result: "required", of: "the administrator of org2", error: failure });
    expect(report.outcomes.get("b")).toMatchObject({ result: "skipped", because: "step a failed" });
    expect([report.failure, required.done.acts]).toEqual([failure, 0]);
  });

  test("keeps no dry run from looking further", async () => {
    const next = seeing("b", [{ is: "differs", change: "x" }], { after: [required.step] });
    const { outcomes, failure: none } = await converge([required.step, next.step], { dryRun: true });
    expect([outcomes.get("a"), outcomes.get("b"), none]).toEqual([
      { result: "would-change", detail: "org2 has not approved", isThere: true },
      { result: "would-change", detail: "x" },
      undefined,
    ]);
  });
});

describe("a removal", () => {
  const removal = () => seeing("a", [{ is: "differs", change: "the ledger is deleted" }], { removes: true });

  test("is not carried out unless whoever runs the plan consents", async () => {
    const { step, done } = removal();
    const report = await converge([step, seeing("b", [so], { after: [step] }).step]);
    expect([report.outcomes.get("a"), done.acts]).toEqual([{ result: "kept", detail: "the ledger is deleted" }, 0]);
    expect(report.outcomes.get("b")).toMatchObject({ because: "step a was kept" });
  });

  test("is, where they do", async () => {
    const { step, done } = removal();
    expect([(await converge([step], { consent: true })).changed, done.acts]).toEqual([1, 1]);
  });
});

test("a stop that comes when all is done stops nothing", async () => {
  const stop = new AbortController();
  const { step } = seeing("a", [{ is: "differs" }], { act: async () => stop.abort(new Error("Ctrl-C")) });
  expect(await converge([step], { signal: stop.signal })).toMatchObject({ changed: 1, failure: undefined });
});

describe("sections", () => {
  const made = (id: string, facts: Set<string>, after: readonly Step[] = []): Step => ({
    id,
    title: id,
    after,
    observe: async () => (facts.has(id) ? so : { is: "differs", change: `make ${id}` }),
    act: async () => void facts.add(id),
  });

  test("are asked for their steps only when all before is so, and their headings are no steps", async () => {
    const facts = new Set<string>();
    const seen: string[][] = [];
    const plan = inTurn([
      { title: "network", steps: () => [made("namespace", facts), made("peer", facts)] },
      {
        title: "channel",
        steps: () => {
          seen.push([...facts]);
          return [made("genesis", facts)];
        },
      },
    ]);
    const report = await converge(plan);
    expect(seen).toEqual([["namespace", "peer"]]);
    expect(report).toMatchObject({ changed: 3, unchanged: 0 });
    expect(report.steps.map(({ id }) => id)).toEqual([
      "section/network",
      "namespace",
      "peer",
      "section/channel",
      "genesis",
    ]);
  });

  test("one that cannot be made fails, and those after it are not asked for", async () => {
    const wrong = new FabricError("not-found", "no such channel");
    const plan = inTurn([
      { title: "a", steps: () => Promise.reject(wrong) },
      { title: "b", steps: () => expect.fail() },
    ]);
    expect((await converge(plan)).failure).toBe(wrong);
  });

  test("a dry run stops where it would have to know what is not there yet, unless nothing of it is needed to look", async () => {
    const facts = new Set<string>();
    const sections = [
      { title: "webhook", steps: () => [made("webhook", facts)] },
      { title: "network", looksAhead: true as const, steps: () => [made("peer", facts)] },
      { title: "channel", steps: () => expect.fail() },
    ];
    const { outcomes } = await converge(inTurn(sections), { dryRun: true });
    expect([...outcomes].map(([id, { result }]) => `${id} ${result}`)).toEqual([
      "section/webhook unchanged",
      "webhook would-change",
      "section/network unchanged",
      "peer would-change",
      "section/channel would-change",
    ]);
  });

  test("of a kind fit into one graph by their scopes", async () => {
    const facts = new Set<string>();
    const deployment = () => {
      const approve = made("approve", facts);
      return [made("commit", facts, [approve]), approve];
    };
    const [one, two] = ["asset", "token"].map((scope) => scoped(`chaincode/mychannel/${scope}`, deployment()));
    const report = await converge([...(one ?? []), ...(two ?? [])]);
    expect(report.steps.map(({ id }) => id)).toEqual([
      "chaincode/mychannel/asset/commit",
      "chaincode/mychannel/asset/approve",
      "chaincode/mychannel/token/commit",
      "chaincode/mychannel/token/approve",
    ]);
    const outside = made("outside", facts);
    expect(scoped("a", [made("inside", facts, [outside])])[0]?.after).toEqual([outside]);
  });

  test("steps that a heading brings must not wait for those that wait for the heading", async () => {
    const facts = new Set<string>();
    const [heading] = inTurn([{ title: "a", steps: () => [{ ...made("brought", facts), lane: "nodes" }] }]) as [Step];
    const behind: Step = { ...made("behind", facts, [heading]), lane: "nodes" };
    const { failure, steps, outcomes } = await converge([heading, behind]);
    expect(failure).toMatchObject({ code: "internal", message: expect.stringContaining("wait for each other") });
    expect(steps.map(({ id }) => [id, outcomes.get(id)?.result])).toEqual([
      ["section/a", "failed"],
      ["behind", "skipped"],
    ]);
  });

  test("an interruption while a section is looked for says where", async () => {
    const interrupt = new AbortController();
    const steps = () => {
      interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
      return Promise.reject(new Error("cut off"));
    };
    expect(
      (await converge(inTurn([{ title: "chaincode asset", steps }]), { signal: interrupt.signal })).failure,
    ).toMatchObject({
      code: "interrupted",
      message: "stopped by SIGINT, at: chaincode asset",
    });
  });
});
