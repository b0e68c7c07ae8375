// Any plan, whatever happens to it: nodes that fail, connections that are lost, Ctrl-C, deadlines and kills, in any order of events. The
// order is fast-check's scheduler's, and so is every pause: nothing here waits for a clock.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FabricError, LostConnection, messageOf } from "../../../../core/error.ts";
import type { Outcome, RunReport, StepEvent } from "../../../../core/engine/report.ts";
import { converge, pass } from "../../../../core/engine/run.ts";
import type { Step, Waiting } from "../../../../core/engine/step.ts";

/** What comes of a call. After the last that a step is given all are fine. */
const answers = ["fine", "lost", "lost when it was done", "refused", "rejected", "a defect"] as const;
type Answer = (typeof answers)[number];

interface Shape {
  /** Steps of the graph, by their number. */
  readonly after: readonly number[];
  readonly looks: readonly Answer[];
  readonly acts: readonly Answer[];
  /** Looks that find that there is nothing to do but to wait: for what is watched, which may be cut, or for a pause. */
  readonly waits: readonly (Answer | "pause")[];
  /** What acting has begun comes later: it is watched. */
  readonly comesLater: boolean;
  /** How many further steps it brings once it is so. */
  readonly brings: number;
  readonly lane: string;
  /** With a lane: whether acting interrupts what runs, from look to look; the last one stays. */
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
    waits: fc.array(fc.constantFrom(...answers, "pause" as const), { maxLength: 2 }),
    comesLater: fc.boolean(),
    brings: fc.integer({ min: 0, max: 4 }).map((number) => Math.max(0, number - 2)),
    lane: fc.constantFrom("north", "south"),
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

/** Of those that take turns none comes after one that is behind it in the plan, in whatever lane: such a plan may be refused. */
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
  const left = shapes.map(({ looks, acts, waits, inTurn = [] }) => ({
    looks: [...looks],
    acts: [...acts],
    waits: [...waits],
    inTurn: [...inTurn],
  }));
  const wrongs: string[] = [];
  const expectThat = (is: boolean, wrong: string) => void (is || wrongs.push(wrong));

  async function run(ending?: Ending, isRound = false): Promise<RunReport | "killed"> {
    const interrupt = new AbortController();
    const { signal } = interrupt;
    const dryRun = ending?.how === "dry run";
    let isDead = false;
    const started = new Set<string>();
    const ended = new Map<string, Outcome>();
    const active = new Set<string>();
    const interrupting = new Set<string>();
    /** Steps that ever saw that they would interrupt something: where one fails, its lane may be closed. */
    const wouldInterrupt = new Set<string>();
    /** Whoever has its turn, with its lane. */
    const tookTurn = new Map<string, string>();
    const effects = new Set<string>();
    const waited = new Set<string>();
    const acted = new Set<string>();
    const closed = new Set<string>();
    const isReady = (id: string): boolean => {
      const outcome = ended.get(id);
      return isSo(outcome) || (outcome?.result === "would-change" && outcome.isThere === true);
    };
    /** What comes when the round is over. */
    const later: (() => void)[] = [];
    const laneFailed = () => [...ended].some(([id, { result }]) => result === "failed" && wouldInterrupt.has(id));

    const moment = async (what: string) => {
      await scheduler.schedule(Promise.resolve(), what);
      if (isDead) await new Promise(() => {});
    };

    const made = new Map<number, Step>();
    const stepAt = (index: number): Step => {
      const before = made.get(index);
      const step = before ?? newStep(index);
      made.set(index, step);
      return step;
    };
    const newStep = (index: number): Step => {
      const id = `s${index}`;
      const shape = shapes[index] as Shape;
      const answered = async (what: string, answer: Answer, effect = () => {}) => {
        await moment(`${id} ${what}`);
        if (!shape.heedless) signal.throwIfAborted();
        if (answer === "fine" || answer === "lost when it was done") effect();
        await moment(`${id} ${what}: ${answer}`);
        if (answer === "fine") return;
        if (answer === "refused") throw new FabricError("connection", `${id} was refused`);
        if (answer === "rejected") throw new FabricError("rejected", `${id} was rejected`);
        if (answer === "a defect") throw new TypeError(`${id} has a defect`);
        throw new LostConnection(`${id} was cut`);
      };
      const call = async (what: string, answer: Answer = "fine", effect = () => {}) => {
        expectThat(!active.has(id), `${id} runs twice at once`);
        expectThat(active.size < parallel, `${id} is one too many`);
        active.add(id);
        try {
          await answered(what, answer, effect);
        } finally {
          active.delete(id);
        }
      };
      const waiting = (until?: Waiting["until"]): Waiting => {
        waited.add(id);
        return { is: "waiting", missing: `${id} is late`, until };
      };
      const done = () => {
        facts.add(id);
        effects.add(id);
      };
      return {
        id,
        title: `step ${id}`,
        after: shape.after.map(stepAt),
        despite: () => shape.despite,
        ...(shape.inTurn && { lane: shape.lane }),
        async observe() {
          for (const before of shape.after) {
            const is = isReady(`s${before}`);
            expectThat(is || (ended.has(`s${before}`) && shape.despite), `${id} starts before s${before} is so`);
            for (const each of is ? broughtBy(before) : [])
              expectThat(isReady(each), `${id} starts before ${each} is so`);
          }
          await call("looks", left[index]?.looks.shift());
          if (facts.has(id)) return { is: "so" };
          const wait = left[index]?.waits.shift();
          if (wait === "pause") return waiting();
          if (wait !== undefined) return waiting(() => answered("is waited for", wait));
          const turns = left[index]?.inTurn ?? [];
          const interrupts = turns.length > 1 ? turns.shift() : turns[0];
          if (interrupts) {
            interrupting.add(id);
            wouldInterrupt.add(id);
          } else {
            interrupting.delete(id);
          }
          return { is: "differs", isThere: shape.isThere, ...(interrupts !== undefined && { interrupts }) };
        },
        async act() {
          expectThat(!dryRun, `${id} acts in a dry run`);
          expectThat(!facts.has(id), `${id} acts on what is so`);
          expectThat(!isRound || !acted.has(id), `${id} acts twice in a round`);
          acted.add(id);
          if (interrupting.has(id)) {
            const others = [...tookTurn].filter(([other, lane]) => other !== id && lane === shape.lane);
            expectThat(others.length === 0, `${id} acts beside another in its turn`);
            expectThat(!closed.has(shape.lane), `${id} acts after one that failed in its turn`);
            tookTurn.set(id, shape.lane);
          }
          const answer = left[index]?.acts.shift() ?? "fine";
          if (!shape.comesLater) return call("acts", answer, done);
          await call("acts");
          effects.add(id);
          if (isRound) later.push(() => facts.add(id));
          return waiting(() => answered("comes", answer, done));
        },
        ...(shape.brings > 0 && {
          async expand() {
            expectThat(ended.get(id) === undefined, `${id} brings steps after its end`);
            await call("brings");
            return broughtBy(index).map((brought) => plain(brought));
          },
        }),
      };
    };
    const broughtBy = (index: number): readonly string[] =>
      Array.from({ length: shapes[index]?.brings ?? 0 }, (_, which) => `s${index}b${which}`);
    /** One that acts at once. */
    const plain = (id: string): Step => ({
      id,
      title: `step ${id}`,
      after: [],
      async observe() {
        await moment(`${id} looks`);
        return facts.has(id) ? { is: "so" } : { is: "differs", isThere: true };
      },
      async act() {
        await moment(`${id} acts`);
        facts.add(id);
        effects.add(id);
      },
    });

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
        const isOurs = effects.has(id) || waited.has(id);
        expectThat(!isSo(outcome) || isOurs === (outcome.result === "changed"), `${id} is ${outcome.result}`);
        const lane = tookTurn.get(id);
        tookTurn.delete(id);
        if (lane !== undefined && (outcome.result === "failed" || outcome.result === "waiting")) closed.add(lane);
      }
    };

    let isOver = false;
    const sleep = () => scheduler.schedule(Promise.resolve(), "pause");
    const rounds = isRound ? pass : converge;
    const running = rounds(order.map(stepAt), { dryRun, parallel, signal, sleep, onEvent });
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
    for (const comes of later) comes();
    judge(report, signal.aborted ? ending?.how : undefined);
    return report;

    /** Whether the report says what has happened. */
    function judge({ steps, outcomes, failure, ...counted }: RunReport, abortedBy: Ending["how"] | undefined) {
      expect(steps.map(({ id }) => id).toSorted()).toEqual([...outcomes.keys()].toSorted());
      for (const index of order) expect(outcomes.has(`s${index}`)).toBe(true);
      expect(new Map(outcomes)).toEqual(ended);
      const told = steps.flatMap(({ id, expand }) => (expand ? [] : [outcomes.get(id)?.result]));
      const count = (result: Outcome["result"]) => told.filter((each) => each === result).length;
      expect(counted).toEqual({
        changed: count("changed"),
        unchanged: count("unchanged"),
        wouldChange: count("would-change"),
        waiting: count("waiting"),
      });
      const notSo = [...outcomes].filter(
        ([, outcome]) => !isSo(outcome) && !["would-change", "waiting"].includes(outcome.result),
      );
      if (abortedBy !== undefined && [...outcomes.values()].some((outcome) => !isSo(outcome))) {
        expect(failure?.code).toBe(abortedBy);
        expect(notSo.some(([id]) => failure?.message.includes(`, at: step ${id}`))).toBe(true);
        return;
      }
      const failed = notSo.filter(([, { result }]) => result === "failed");
      expect(failure !== undefined).toBe(failed.length > 0);
      for (const [id, outcome] of notSo) {
        if (outcome.result === "failed") {
          expect(failure?.message).toContain(messageOf(outcome.error));
          if (failed.length > 1) expect(failure?.message).toContain(`step ${id}`);
          continue;
        }
        const before = [...allBefore(shapes, Number(id.slice(1)))].map((each) => outcomes.get(`s${each}`)?.result);
        const isHeld = (["failed", "skipped", "waiting"] as const).some((result) => before.includes(result));
        expect(isHeld || laneFailed()).toBe(true);
      }
    }
  }

  /** From now on all answers are fine. */
  const calm = () =>
    left.forEach(({ looks, acts, waits }) => {
      for (const each of [looks, acts, waits]) each.splice(0);
    });
  return { run, calm, facts, wrongs };
}

const isSo = (outcome: Outcome | undefined): boolean =>
  outcome?.result === "changed" || outcome?.result === "unchanged";

const runs = 300;

/** Of all steps, those that others bring among them. */
const all = ({ shapes }: Course): number => shapes.length + brought({ shapes });
const brought = ({ shapes }: Pick<Course, "shapes">): number => shapes.reduce((sum, { brings }) => sum + brings, 0);
const headings = ({ shapes }: Course): number => shapes.filter(({ brings }) => brings > 0).length;
/** Each run that fails has met an answer that was not fine. */
const troubles = ({ shapes }: Course): number =>
  shapes.flatMap(({ looks, acts, waits }) => [...looks, ...acts, ...waits]).length;

test("any plan comes to its end or says why not, again and again until all is so", async () => {
  await fc.assert(
    fc.asyncProperty(courses, fc.scheduler(), async (course, scheduler) => {
      const { run, calm, facts, wrongs } = newWorld(course, scheduler);
      for (const ending of course.endings) await run(ending);
      let patience = troubles(course);
      for (;;) {
        const report = await run();
        if (report !== "killed" && report.failure === undefined) break;
        expect(patience--, "runs that failed for no reason").toBeGreaterThan(0);
      }
      expect(facts.size).toBe(all(course));
      calm();
      expect(await run()).toMatchObject({ changed: 0, unchanged: all(course) - headings(course), failure: undefined });
      expect(wrongs).toEqual([]);
    }),
    { numRuns: runs },
  );
});

test("so does any plan by single rounds, in which nothing is waited for and nothing acts twice", async () => {
  await fc.assert(
    fc.asyncProperty(courses, fc.scheduler(), async (course, scheduler) => {
      const { run, facts, wrongs } = newWorld(course, scheduler);
      // A round brings each step that can be looked at on by an answer, a wait or an act.
      let patience = 2 * troubles(course) + 3 * all(course) + 1;
      for (;;) {
        const report = await run(undefined, true);
        if (report !== "killed" && report.failure === undefined && facts.size === all(course)) break;
        expect(patience--, "rounds that brought nothing").toBeGreaterThan(0);
      }
      expect(wrongs).toEqual([]);
    }),
    { numRuns: runs },
  );
});
