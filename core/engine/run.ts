import { FabricError, messageOf } from "../error.ts";
import { againWhenLost, type Persistence } from "./again.ts";
import { checkPlan } from "./plan.ts";
import { byReason } from "./reasons.ts";
import type { Step, StepContext } from "./step.ts";
import { newTurns } from "./turns.ts";

/** How a step ended. */
export type Outcome =
  | { readonly result: "unchanged"; readonly detail?: string | undefined }
  | { readonly result: "changed"; readonly detail?: string | undefined }
  /** Dry run: it would act, or it comes after one that would make what it needs to be looked at. */
  | {
      readonly result: "would-change";
      readonly detail?: string | undefined;
      /** What comes after it is looked at all the same. */
      readonly isThere?: true;
    }
  | { readonly result: "failed"; readonly error: unknown }
  /** Not finished: one that it comes after failed, or the run was interrupted. */
  | { readonly result: "skipped"; readonly because: string; readonly failure?: unknown };

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
  /** How such a pause is made: by the clock unless told. */
  readonly sleep?: Persistence["sleep"];
  readonly onEvent?: (event: StepEvent) => void;
}

export interface RunReport {
  /** Of every step, by its id. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
  /**
   * Why the run did not come to its end: the failure itself when there is only one (`internal` when it is a defect),
   * else `steps-failed` naming each failed step (`not-ready` when all are). When the signal was aborted, the code of whoever did,
   * `interrupted` where that says none.
   */
  readonly failure?: FabricError | undefined;
}

/**
 * Runs a plan: each step as soon as all that it comes after are so, several at once; those that interrupt what runs one at a time.
 * A failure stops what comes after it and nothing else. A lost connection is none yet: acting twice is as good as acting once.
 * The report comes back however it ends. Throws `internal`, before anything is begun, when the plan is none.
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
  const turns = newTurns(steps);
  /** Steps that wait for their turn leave room for those that they wait for. */
  let inLine = 0;
  let roomier = Promise.withResolvers<void>();
  const titleOf = (id: string) => steps.find((step) => step.id === id)?.title ?? id;

  const takeTurn = async (step: Step) => {
    inLine += 1;
    roomier.resolve();
    try {
      return await turns.take(step);
    } finally {
      inLine -= 1;
    }
  };
  const end = (step: Step, outcome: Outcome, started: number) => {
    outcomes.set(step.id, outcome);
    turns.leave(step, outcome.result === "failed");
    emit({ type: "ended", step, outcome, milliseconds: now() - started });
  };
  const start = async (step: Step) => {
    const started = now();
    emit({ type: "started", step });
    const context = {
      signal,
      progress: (text: string) => emit({ type: "progress", step, text }),
      again: (because: string) => emit({ type: "again", step, because }),
    };
    const onLost = (error: FabricError) => emit({ type: "again", step, because: error.message });
    const { pauses, sleep } = options;
    const turn = { take: () => takeTurn(step), pass: () => turns.leave(step, false) };
    end(step, await attempt(step, context, dryRun, turn, { onLost, pauses, sleep }), started);
  };

  for (;;) {
    roomier = Promise.withResolvers<void>();
    const before = waiting.size;
    for (const step of waiting) {
      const ready = readiness(step, outcomes);
      const isFull = running.size - inLine >= parallel;
      if (ready === "pending" || (ready === "so" && !signal.aborted && isFull)) continue;
      waiting.delete(step);
      if (ready === "so" && !signal.aborted) {
        const task: Promise<void> = start(step).finally(() => running.delete(task));
        running.add(task);
      } else if (ready === "would-change" && !signal.aborted) {
        end(step, { result: "would-change" }, now());
      } else {
        const cause = outcomes.get(ready);
        const failed = cause?.result === "skipped" ? cause.because : `${titleOf(ready)} failed`;
        const because = signal.aborted ? "interrupted" : failed;
        end(step, { result: "skipped", because, failure: failureOf(cause) }, now());
      }
    }
    // One that ended without running may be what another waited for, or the turn of one that runs.
    if (waiting.size < before) continue;
    if (running.size === 0) break;
    await Promise.race([...running, roomier.promise]);
  }
  return reportOf(steps, outcomes, signal);
}

/** A step's place among those that act one at a time. */
interface Turn {
  /** Gives the title of one that failed in its turn. */
  take(): Promise<string | undefined>;
  /** It needs none. */
  pass(): void;
}

async function attempt(
  step: Step,
  context: StepContext,
  dryRun: boolean,
  turn: Turn,
  persistence: Omit<Persistence, "signal">,
): Promise<Outcome> {
  let acted = false;
  const once = async (): Promise<Outcome> => {
    const observation = await step.observe(context);
    // What was done before the connection was lost was done by us.
    if (observation.is === "so")
      return { result: acted && !step.isCheck ? "changed" : "unchanged", detail: observation.detail };
    if (dryRun) {
      const { change: detail, isThere = false } = observation;
      if (step.isCheck) return { result: "unchanged", detail };
      return { result: "would-change", detail, ...(isThere ? { isThere } : {}) };
    }
    if (observation.inTurn === true) {
      const failed = await turn.take();
      if (failed !== undefined) return { result: "skipped", because: `${failed} failed` };
      context.signal.throwIfAborted();
    } else if (!acted) {
      turn.pass();
    }
    acted = true;
    const said = await step.act(context);
    if (typeof said === "object") return { result: "unchanged", detail: said.unchanged };
    const detail = said ?? observation.change;
    return { result: step.isCheck ? "unchanged" : "changed", detail };
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
    const stopped = outcome.result === "failed" || outcome.result === "skipped";
    if (stopped && step.despite?.(failureOf(outcome)) !== true) return id;
    if (outcome.result === "would-change" && outcome.isThere !== true) answer = "would-change";
  }
  return answer;
}

/** What ended a step, or one before it. */
function failureOf(outcome: Outcome | undefined): unknown {
  if (outcome?.result === "failed") return outcome.error;
  return outcome?.result === "skipped" ? outcome.failure : undefined;
}

function reportOf(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>, signal: AbortSignal): RunReport {
  const count = (result: Outcome["result"]) =>
    [...outcomes.values()].filter((outcome) => outcome.result === result).length;
  const failure = signal.aborted ? interruption(steps, outcomes, signal.reason) : together(steps, outcomes);
  const [changed, unchanged, wouldChange] = [count("changed"), count("unchanged"), count("would-change")];
  return { outcomes, changed, unchanged, wouldChange, failure };
}

/** What failed, as one failure. */
function together(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>): FabricError | undefined {
  const failures = steps.flatMap((step) => {
    const outcome = outcomes.get(step.id);
    return outcome?.result === "failed" ? [{ step, error: outcome.error }] : [];
  });
  const [first] = failures;
  if (!first) return undefined;
  if (failures.length === 1) return asFailure(first.error);
  const code = failures.every(({ error }) => isNotReady(error)) ? "not-ready" : "steps-failed";
  const reasons = byReason(failures.map(({ step, error }) => ({ about: step.title, reason: messageOf(error) })));
  return new FabricError(
    code,
    `${failures.length} steps failed:\n${reasons.map(({ about, reason }) => `  ${about.join(", ")}: ${reason}`).join("\n")}`,
    { hint: first.error instanceof FabricError ? first.error.hint : undefined, cause: first.error },
  );
}

/** What is thrown besides is a defect. */
const asFailure = (error: unknown): FabricError =>
  error instanceof FabricError ? error : new FabricError("internal", messageOf(error), { cause: error });

const isNotReady = (error: unknown): boolean => error instanceof FabricError && error.code === "not-ready";

/** Ctrl-C or a deadline: whoever aborted the signal says which. */
function interruption(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>, reason: unknown): FabricError {
  const left = steps.filter(({ id }) => !isSo(outcomes.get(id)));
  const code = reason instanceof FabricError ? reason.code : "interrupted";
  const told = left.find(({ id }) => explained(outcomes.get(id), reason) !== undefined);
  const first = told ?? left.find(({ id }) => outcomes.get(id)?.result === "failed") ?? left[0];
  const why = first && explained(outcomes.get(first.id), reason);
  const at = first ? `, at: ${first.title}${why ? `: ${why.message}` : ""}` : "";
  return new FabricError(code, `${messageOf(reason)} with ${left.length} of ${steps.length} steps left${at}`, {
    hint: why?.hint ?? "run the same command again: it goes on where it stopped",
    cause: reason,
  });
}

/** Why a step was not done in time, where it says so itself. */
function explained(outcome: Outcome | undefined, reason: unknown): FabricError | undefined {
  if (outcome?.result !== "failed" || outcome.error === reason) return undefined;
  const { error } = outcome;
  return error instanceof FabricError && ["timeout", "not-ready"].includes(error.code) ? error : undefined;
}

function isSo(outcome: Outcome | undefined): boolean {
  return outcome?.result === "changed" || outcome?.result === "unchanged";
}
