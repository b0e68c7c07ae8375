import { attempt, type Run } from "./attempt.ts";
import { byTheClock, type Sleep } from "./eventually.ts";
import { newGraph } from "./graph.ts";
import { newLanes, type Ending } from "./lanes.ts";
import { failureOf, reportOf, type Outcome, type RunReport, type StepEvent } from "./report.ts";
import { newSlots } from "./slots.ts";
import type { Step } from "./step.ts";

export interface RunOptions {
  /** Looks, and does nothing. */
  readonly dryRun?: boolean | undefined;
  /** Steps that look or act at once; 8 unless told. One that waits is none of them. */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
  /** Whether steps that remove what nobody can bring back may act; not unless told. */
  readonly consent?: boolean | undefined;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  /** How a pause is made: by the clock unless told. */
  readonly sleep?: Sleep | undefined;
  readonly onEvent?: (event: StepEvent) => void;
}

/**
 * Runs a plan until all is so, or the signal is aborted. A step starts as soon as all steps before it are so; several run at once, but
 * those of a lane that interrupt what runs act one at a time. A failure stops only the steps that come after it. After a lost connection
 * the step begins again: acting twice is as good as acting once. A heading whose `expand` fails is a failed step. Gives a report however
 * the run ends. Throws only `internal`, before it begins, when the plan is not valid.
 */
export const converge = (plan: readonly Step[], options: RunOptions = {}): Promise<RunReport> =>
  run(plan, options, false);

/**
 * One round: what is not so acts once, what waits is reported as waiting and nothing is waited for. Throws as `converge` does. Some steps
 * remember what they have begun (a node's restart): the next round needs the same plan.
 */
export const pass = (plan: readonly Step[], options: RunOptions = {}): Promise<RunReport> => run(plan, options, true);

async function run(plan: readonly Step[], options: RunOptions, oneRound: boolean): Promise<RunReport> {
  const { dryRun = false, consent = false, signal = new AbortController().signal, parallel = 8 } = options;
  const { now = () => performance.now(), sleep = byTheClock, onEvent: emit = () => {} } = options;
  const [graph, slots, lanes] = [newGraph(plan), newSlots(parallel), newLanes(signal)];
  const shared: Run = { dryRun, oneRound, consent, signal, slots, lanes, now, sleep, emit };
  const outcomes = new Map<string, Outcome>();
  const pending = new Set(plan);
  const running = new Set<Promise<void>>();
  lanes.add(plan);

  const end = (step: Step, outcome: Outcome, started: number) => {
    outcomes.set(step.id, outcome);
    lanes.ended(step, endingOf(outcome));
    emit({ type: "ended", step, outcome, milliseconds: now() - started });
  };
  const start = async (step: Step) => {
    let started = now();
    const begun = () => {
      started = now();
      emit({ type: "started", step });
    };
    const { outcome, brought = [] } = await attempt(step, shared, begun, (further) => graph.bring(step, further));
    lanes.add(brought);
    for (const further of brought) pending.add(further);
    end(step, outcome, started);
  };
  for (;;) {
    const before = pending.size;
    for (const step of pending) {
      const ready = readiness(step, outcomes, graph.broughtBy);
      if (ready.is === "pending") continue;
      pending.delete(step);
      if (signal.aborted) {
        end(step, { result: "skipped", because: "interrupted", failure: failureOf(ready.cause) }, now());
      } else if (ready.is === "so") {
        const task: Promise<void> = start(step).finally(() => running.delete(task));
        running.add(task);
      } else {
        end(step, ready.outcome, now());
      }
    }
    // A step that has ended without running may make another one ready.
    if (pending.size < before) continue;
    if (running.size === 0) break;
    await Promise.race(running);
  }
  return reportOf(graph.steps(), outcomes, signal);
}

function endingOf(outcome: Outcome): Ending {
  if (outcome.result === "failed" || outcome.result === "required") return "failed";
  return outcome.result === "waiting" ? "waiting" : "done";
}

/** Whether a step may start; else how it ends without having started. */
type Readiness =
  | { readonly is: "pending" }
  | { readonly is: "so"; readonly cause?: undefined }
  | { readonly is: "ended"; readonly outcome: Outcome; readonly cause?: Outcome };

function readiness(
  step: Step,
  outcomes: ReadonlyMap<string, Outcome>,
  broughtBy: (step: Step) => readonly Step[],
): Readiness {
  let answer: Readiness = { is: "so" };
  for (const before of step.after.flatMap((each) => [each, ...broughtBy(each)])) {
    const outcome = outcomes.get(before.id);
    if (outcome === undefined) return { is: "pending" };
    const { result } = outcome;
    if (result === "changed" || result === "unchanged") continue;
    if (result === "would-change") {
      if (outcome.isThere !== true && !step.looksAhead) answer = { is: "ended", outcome: { result: "would-change" } };
    } else if (step.despite?.(failureOf(outcome)) !== true) {
      const because = result === "skipped" ? outcome.because : `${before.title} ${whyNot[result]}`;
      return { is: "ended", outcome: { result: "skipped", because, failure: failureOf(outcome) }, cause: outcome };
    }
  }
  return answer;
}

const whyNot = {
  failed: "failed",
  required: "failed",
  waiting: "is waited for",
  kept: "was kept",
} as const;
