// Any plan, whatever happens to it: nodes that fail, connections that are lost, Ctrl-C, deadlines and kills, in any order of events. The
// order is fast-check's scheduler's, and so is every pause: nothing here waits for a clock.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FabricError, LostConnection, messageOf } from "../../../../core/error.ts";
import { runSteps, type Outcome, type RunReport, type StepEvent } from "../../../../core/engine/run.ts";
import type { Step } from "../../../../core/engine/step.ts";

/** What comes of a call. After the last that a step is given all are fine. */
const answers = ["fine", "lost", "lost when it was done", "refused", "rejected", "a defect"] as const;
type Answer = (typeof answers)[number];

interface Shape {
  /** Steps of the graph, by their number. */
  readonly after: readonly number[];
  readonly looks: readonly Answer[];
  readonly acts: readonly Answer[];
  /** With `takesTurns`: whether acting interrupts what runs, from look to look; the last one stays. */
  readonly inTurn?: readonly boolean[] | undefined;
  readonly despite: boolean;
  readonly isThere: boolean;
  readonly isSo: boolean;
  /** Goes on to its end though the signal is aborted. */
  readonly heedless: boolean;
}

/** How a run ends before its time: after so many events. */
interface Ending {
  readonly how: "interrupted" | "timeout" | "killed" | "dry run";
  readonly after: number;
}

interface Course {
  /** No step comes after one with a higher number. */
  readonly shapes: readonly Shape[];
  /** Their order in the plan. */
  readonly order: readonly number[];
  readonly parallel: number;
  readonly endings: readonly Ending[];
}

const some = (maxLength: number) => fc.array(fc.constantFrom(...answers), { maxLength });
const rarely = fc.integer({ min: 0, max: 5 }).map((number) => number === 5);

const shapeAt = (index: number): fc.Arbitrary<Shape> =>
  fc.record({
    after: fc.subarray(Array.from({ length: index }, (_, before) => before)),
    looks: some(2),
    acts: some(3),
    inTurn: fc.option(fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }), { nil: undefined }),
    despite: rarely,
    isThere: fc.boolean(),
    isSo: rarely,
    heedless: fc.boolean(),
  });

const courses: fc.Arbitrary<Course> = fc
  .integer({ min: 1, max: 8 })
  .chain((size) => {
    const all = Array.from({ length: size }, (_, index) => index);
    return fc.record({
      shapes: fc.tuple(...all.map(shapeAt)),
      order: fc.shuffledSubarray(all, { minLength: size, maxLength: size }),
      parallel: fc.integer({ min: 1, max: 4 }),
      endings: fc.array(
        fc.record({
          how: fc.constantFrom("interrupted", "timeout", "killed", "dry run"),
          after: fc.nat({ max: 40 }),
        }),
        { maxLength: 3 },
      ),
    });
  })
  .map(withTurns);

/** Of those that take turns none comes after one that is behind it in the plan: such a plan is refused. */
function withTurns({ shapes, order, ...course }: Course): Course {
  const stands = (index: number) => order.indexOf(index);
  const allowed = shapes.map(({ inTurn, ...shape }, index): Shape => {
    const waits = [...allBefore(shapes, index)].some((each) => shapes[each]?.inTurn && stands(each) > stands(index));
    return waits ? shape : { ...shape, inTurn };
  });
  return { ...course, shapes: allowed, order };
}

/** Of all that it comes after, and what those come after. */
function allBefore(shapes: readonly Shape[], index: number): ReadonlySet<number> {
  const before = shapes[index]?.after ?? [];
  return new Set([...before, ...before.flatMap((each) => [...allBefore(shapes, each)])]);
}

/** One run of the plan in a world that outlives it; everything that it should not do is told in `wrongs`. */
function newWorld({ shapes, order, parallel }: Course, scheduler: fc.Scheduler) {
  const facts = new Set(shapes.flatMap(({ isSo }, index) => (isSo ? [`s${index}`] : [])));
  const left = shapes.map(({ looks, acts, inTurn = [] }) => ({
    looks: [...looks],
    acts: [...acts],
    inTurn: [...inTurn],
  }));
  const wrongs: string[] = [];
  const expectThat = (is: boolean, wrong: string) => void (is || wrongs.push(wrong));

  async function run(ending?: Ending): Promise<RunReport | "killed"> {
    const interrupt = new AbortController();
    const { signal } = interrupt;
    const dryRun = ending?.how === "dry run";
    let isDead = false;
    const started = new Set<string>();
    const ended = new Map<string, Outcome>();
    const active = new Set<string>();
    const interrupting = new Set<string>();
    const tookTurn = new Set<string>();
    const effects = new Set<string>();
    let failedInTurn = false;

    const moment = async (what: string) => {
      await scheduler.schedule(Promise.resolve(), what);
      if (isDead) await new Promise(() => {});
    };

    const stepAt = (index: number): Step => {
      const id = `s${index}`;
      const shape = shapes[index] as Shape;
      const call = async (what: string, answer: Answer = "fine", effect = () => {}) => {
        expectThat(!active.has(id), `${id} runs twice at once`);
        expectThat(active.size < parallel + (tookTurn.size > 0 ? 1 : 0), `${id} is one too many`);
        active.add(id);
        try {
          await moment(`${id} ${what}`);
          if (!shape.heedless) signal.throwIfAborted();
          if (answer === "fine" || answer === "lost when it was done") effect();
          await moment(`${id} ${what}: ${answer}`);
          if (answer === "fine") return;
          if (answer === "refused") throw new FabricError("connection", `${id} was refused`);
          if (answer === "rejected") throw new FabricError("rejected", `${id} was rejected`);
          if (answer === "a defect") throw new TypeError(`${id} has a defect`);
          throw new LostConnection(`${id} was cut`);
        } finally {
          active.delete(id);
        }
      };
      return {
        id,
        title: `step ${id}`,
        after: shape.after.map((before) => `s${before}`),
        despite: () => shape.despite,
        ...(shape.inTurn && { takesTurns: true }),
        async observe() {
          for (const before of shape.after) {
            const outcome = ended.get(`s${before}`);
            const isReady = isSo(outcome) || (outcome?.result === "would-change" && outcome.isThere);
            expectThat(isReady || (outcome !== undefined && shape.despite), `${id} starts before s${before} is so`);
          }
          await call("looks", left[index]?.looks.shift());
          if (facts.has(id)) return { is: "so" };
          const turns = left[index]?.inTurn ?? [];
          const inTurn = turns.length > 1 ? turns.shift() : turns[0];
          if (inTurn) interrupting.add(id);
          else interrupting.delete(id);
          return { is: "differs", isThere: shape.isThere, ...(inTurn !== undefined && { inTurn }) };
        },
        async act() {
          expectThat(!dryRun, `${id} acts in a dry run`);
          expectThat(!facts.has(id), `${id} acts on what is so`);
          if (interrupting.has(id)) {
            expectThat(![...tookTurn].some((other) => other !== id), `${id} acts beside another in its turn`);
            expectThat(!failedInTurn, `${id} acts after one that failed in its turn`);
            tookTurn.add(id);
          }
          await call("acts", left[index]?.acts.shift(), () => {
            facts.add(id);
            effects.add(id);
          });
        },
      };
    };

    const onEvent = (event: StepEvent) => {
      const { id } = event.step;
      if (event.type === "started") {
        expectThat(!started.has(id), `${id} starts twice`);
        expectThat(!signal.aborted, `${id} starts though the run is interrupted`);
        started.add(id);
      } else if (event.type === "ended") {
        expectThat(!ended.has(id), `${id} ends twice`);
        const { outcome } = event;
        ended.set(id, outcome);
        expectThat(!isSo(outcome) || facts.has(id), `${id} is ${outcome.result}, and not so`);
        expectThat(!isSo(outcome) || effects.has(id) === (outcome.result === "changed"), `${id} is ${outcome.result}`);
        if (tookTurn.delete(id) && outcome.result === "failed") failedInTurn = true;
      }
    };

    let isOver = false;
    const sleep = () => scheduler.schedule(Promise.resolve(), "pause");
    const running = runSteps(order.map(stepAt), { dryRun, parallel, signal, pauses: [1, 2], sleep, onEvent });
    void running.catch(() => {}).finally(() => (isOver = true));
    for (let events = 0; ; events++) {
      const now = events === ending?.after ? ending.how : undefined;
      if (now === "killed") {
        isDead = true;
        return now;
      }
      if (now === "interrupted" || now === "timeout") interrupt.abort(new FabricError(now, "stopped"));
      // Whatever follows from the last event follows before the next one.
      await new Promise(setImmediate);
      if (isOver) break;
      if (scheduler.count() === 0) throw new Error("nothing is under way, and the run has no end");
      await scheduler.waitOne();
    }
    const report = await running;
    judge(report, signal.aborted ? ending?.how : undefined);
    return report;

    /** Whether the report says what has happened. */
    function judge({ outcomes, failure, ...counted }: RunReport, abortedBy: Ending["how"] | undefined) {
      expect([...outcomes.keys()].toSorted()).toEqual(order.map((index) => `s${index}`).toSorted());
      expect(new Map(outcomes)).toEqual(ended);
      const all = [...outcomes.values()];
      const count = (result: Outcome["result"]) => all.filter((outcome) => outcome.result === result).length;
      expect(counted).toEqual({
        changed: count("changed"),
        unchanged: count("unchanged"),
        wouldChange: count("would-change"),
      });
      const notSo = [...outcomes].filter(([, outcome]) => !isSo(outcome) && outcome.result !== "would-change");
      if (abortedBy !== undefined) {
        expect(failure?.code).toBe(abortedBy);
        const at = notSo.some(([id]) => failure?.message.includes(`, at: step ${id}`));
        expect(at || notSo.length === 0).toBe(true);
        return;
      }
      expect(failure !== undefined).toBe(notSo.length > 0);
      for (const [id, outcome] of notSo) {
        if (outcome.result === "failed") {
          expect(failure?.message).toContain(messageOf(outcome.error));
          if (count("failed") > 1) expect(failure?.message).toContain(`step ${id}`);
          continue;
        }
        const before = [...allBefore(shapes, Number(id.slice(1)))].map((each) => outcomes.get(`s${each}`)?.result);
        expect(before.includes("failed") || before.includes("skipped") || failedInTurn).toBe(true);
      }
    }
  }

  /** From now on all answers are fine. */
  const calm = () => left.forEach(({ looks, acts }) => (looks.splice(0), acts.splice(0)));
  return { run, calm, facts, wrongs };
}

const isSo = (outcome: Outcome | undefined): boolean =>
  outcome?.result === "changed" || outcome?.result === "unchanged";

const runs = 300;

test("any plan comes to its end or says why not, again and again until all is so", async () => {
  await fc.assert(
    fc.asyncProperty(courses, fc.scheduler(), async (course, scheduler) => {
      const { run, calm, facts, wrongs } = newWorld(course, scheduler);
      for (const ending of course.endings) await run(ending);
      // Each run that fails has met an answer that was not fine.
      let patience = course.shapes.flatMap(({ looks, acts }) => [...looks, ...acts]).length;
      for (;;) {
        const report = await run();
        if (report !== "killed" && report.failure === undefined) break;
        expect(patience--, "runs that failed for no reason").toBeGreaterThan(0);
      }
      expect(facts.size).toBe(course.shapes.length);
      calm();
      expect(await run()).toMatchObject({ changed: 0, unchanged: course.shapes.length, failure: undefined });
      expect(wrongs).toEqual([]);
    }),
    { numRuns: runs },
  );
});
