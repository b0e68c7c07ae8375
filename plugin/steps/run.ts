import { FabricError, messageOf } from "../error.ts";
import { againWhenLost, type Persistence } from "./again.ts";
import { checkPlan } from "./plan.ts";
import { byReason } from "./reasons.ts";
import type { Step, StepContext } from "./step.ts";

/** How a step ended. */
export type Outcome =
  | { readonly result: "unchanged"; readonly detail?: string | undefined }
  | { readonly result: "changed"; readonly detail?: string | undefined }
  /** Dry run: it would act, or it comes after one that would. */
  | { readonly result: "would-change"; readonly detail?: string | undefined }
  | { readonly result: "failed"; readonly error: unknown }
  /** Not finished: one that it comes after failed, or the run was interrupted. */
  | { readonly result: "skipped"; readonly because: string };

export type StepEvent =
  | { readonly type: "started"; readonly step: Step }
  | { readonly type: "progress"; readonly step: Step; readonly text: string }
  /** A connection was lost on the way: the step is looked at again, and acts again if it has to. */
  | { readonly type: "again"; readonly step: Step; readonly because: string }
  | { readonly type: "ended"; readonly step: Step; readonly outcome: Outcome; readonly milliseconds: number };

export interface RunOptions {
  readonly dryRun?: boolean;
  /** Steps under way at once; 8 unless told. */
  readonly parallel?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  /** Milliseconds before a step whose connection was lost is tried again, each time. */
  readonly pauses?: readonly number[];
  readonly onEvent?: (event: StepEvent) => void;
}

export interface RunReport {
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
}

/**
 * Runs a plan: each step as soon as all that it comes after are so, several at once.
 * A failure stops what comes after it and nothing else. A lost connection is none yet: acting twice is as good as acting once.
 * Throws `steps-failed` naming each failed step (`not-ready` when all are), or the failure itself when there is only one;
 * `interrupted` when the signal was aborted.
 */
export async function runSteps(steps: readonly Step[], options: RunOptions = {}): Promise<RunReport> {
  checkPlan(steps);
  const {
    dryRun = false,
    parallel = 8,
    signal = new AbortController().signal,
    now = () => performance.now(),
  } = options;
  const emit = options.onEvent ?? (() => {});
  const outcomes = new Map<string, Outcome>();
  const waiting = new Set(steps);
  const running = new Set<Promise<void>>();
  const titleOf = (id: string) => steps.find((step) => step.id === id)?.title ?? id;

  const end = (step: Step, outcome: Outcome, started: number) => {
    outcomes.set(step.id, outcome);
    emit({ type: "ended", step, outcome, milliseconds: now() - started });
  };
  const start = async (step: Step) => {
    const started = now();
    emit({ type: "started", step });
    const context = { signal, progress: (text: string) => emit({ type: "progress", step, text }) };
    const onLost = (error: FabricError) => emit({ type: "again", step, because: error.message });
    const { pauses } = options;
    end(step, await attempt(step, context, dryRun, { onLost, pauses }), started);
  };

  for (;;) {
    for (const step of waiting) {
      const ready = readiness(step, outcomes);
      if (ready === "pending" || (ready === "so" && !signal.aborted && running.size >= parallel)) continue;
      waiting.delete(step);
      if (ready === "so" && !signal.aborted) {
        const task: Promise<void> = start(step).finally(() => running.delete(task));
        running.add(task);
      } else if (ready === "would-change" && !signal.aborted) {
        end(step, { result: "would-change" }, now());
      } else {
        end(step, { result: "skipped", because: signal.aborted ? "interrupted" : `${titleOf(ready)} failed` }, now());
      }
    }
    if (running.size > 0) await Promise.race(running);
    else if (![...waiting].some((step) => readiness(step, outcomes) !== "pending")) break;
  }
  return reportOf(steps, outcomes, signal);
}

async function attempt(
  step: Step,
  context: StepContext,
  dryRun: boolean,
  persistence: Omit<Persistence, "signal">,
): Promise<Outcome> {
  let acted = false;
  const once = async (): Promise<Outcome> => {
    const observation = await step.observe(context);
    // What was done before the connection was lost was done by us.
    if (observation.done) return { result: acted ? "changed" : "unchanged", detail: observation.detail };
    if (dryRun) return { result: "would-change", detail: observation.change };
    acted = true;
    return { result: "changed", detail: (await step.act(context)) ?? observation.change };
  };
  try {
    return await againWhenLost(once, { ...persistence, signal: context.signal });
  } catch (error) {
    // Whatever a call says when it is cut off by Ctrl-C, nothing has failed. A deadline is another thing: what it cut off tells why.
    const { reason } = context.signal as { readonly reason: unknown };
    if (reason instanceof FabricError && reason.code === "interrupted")
      return { result: "skipped", because: "interrupted" };
    return { result: "failed", error };
  }
}

/** Whether a step may start: "so", "pending", "would-change", or the id of the step that failed before it. */
function readiness(step: Step, outcomes: ReadonlyMap<string, Outcome>): string {
  let answer = "so";
  for (const id of step.after) {
    const outcome = outcomes.get(id);
    if (outcome === undefined) return "pending";
    if (outcome.result === "failed" || outcome.result === "skipped") return id;
    if (outcome.result === "would-change") answer = "would-change";
  }
  return answer;
}

function reportOf(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>, signal: AbortSignal): RunReport {
  if (signal.aborted) throw interruption(steps, outcomes, signal.reason);
  const failures = steps.flatMap((step) => {
    const outcome = outcomes.get(step.id);
    return outcome?.result === "failed" ? [{ step, error: outcome.error }] : [];
  });
  const [first] = failures;
  if (first && failures.length === 1) throw first.error;
  if (first) {
    const code = failures.every(({ error }) => isNotReady(error)) ? "not-ready" : "steps-failed";
    const reasons = byReason(failures.map(({ step, error }) => ({ about: step.title, reason: messageOf(error) })));
    throw new FabricError(
      code,
      `${failures.length} steps failed:\n${reasons.map(({ about, reason }) => `  ${about.join(", ")}: ${reason}`).join("\n")}`,
      { hint: first.error instanceof FabricError ? first.error.hint : undefined, cause: first.error },
    );
  }
  const count = (result: Outcome["result"]) =>
    [...outcomes.values()].filter((outcome) => outcome.result === result).length;
  return { outcomes, changed: count("changed"), unchanged: count("unchanged"), wouldChange: count("would-change") };
}

const isNotReady = (error: unknown): boolean => error instanceof FabricError && error.code === "not-ready";

/** Ctrl-C or a deadline: whoever aborted the signal says which. */
function interruption(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>, reason: unknown): FabricError {
  const left = steps.filter(({ id }) => !isSo(outcomes.get(id)));
  const code = reason instanceof FabricError ? reason.code : "interrupted";
  const first = left.find(({ id }) => outcomes.get(id)?.result === "failed") ?? left[0];
  const at = first ? `, at: ${first.title}` : "";
  return new FabricError(code, `${messageOf(reason)} with ${left.length} of ${steps.length} steps left${at}`, {
    hint: "run the same command again: it goes on where it stopped",
    cause: reason,
  });
}

function isSo(outcome: Outcome | undefined): boolean {
  return outcome?.result === "changed" || outcome?.result === "unchanged";
}
