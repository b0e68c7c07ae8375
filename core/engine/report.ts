import { FabricError, messageOf } from "../error.ts";
import { byReason } from "./reasons.ts";
import type { Step } from "./step.ts";

/** How a step ended. */
export type Outcome =
  | { readonly result: "unchanged"; readonly detail?: string | undefined }
  | { readonly result: "changed"; readonly detail?: string | undefined }
  /** Dry run: the step would act or wait, or cannot be looked at because a step before it would first have to act. */
  | {
      readonly result: "would-change";
      readonly detail?: string | undefined;
      /** What comes after it is looked at all the same. */
      readonly isThere?: true;
    }
  /** Only in `pass`: the step is not so yet and can only wait. `acted`: it waits for the effect of what it did in this round. */
  | { readonly result: "waiting"; readonly missing: string; readonly acted: boolean }
  /** Somebody else has to act. */
  | { readonly result: "required"; readonly of: string; readonly error: FabricError }
  /** A removal that nobody consented to. */
  | { readonly result: "kept"; readonly detail?: string | undefined }
  | { readonly result: "failed"; readonly error: unknown }
  /** Not finished: a step before it is not so, or the run was interrupted. */
  | { readonly result: "skipped"; readonly because: string; readonly failure?: unknown };

export type StepEvent =
  | { readonly type: "started"; readonly step: Step }
  | { readonly type: "progress"; readonly step: Step; readonly text: string }
  /** A connection was lost, or a Pod was replaced: the step is looked at again, and acts again if it has to. */
  | { readonly type: "again"; readonly step: Step; readonly because: string }
  | { readonly type: "ended"; readonly step: Step; readonly outcome: Outcome; readonly milliseconds: number };

export interface RunReport {
  /** All steps, in the order of the plan; those that a heading has brought follow it. */
  readonly steps: readonly Step[];
  /** Of every step, by its id. */
  readonly outcomes: ReadonlyMap<string, Outcome>;
  /** How many steps ended like this; headings (steps that bring others) are not counted. */
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
  /** Steps of one round that wait, and so are not so yet. */
  readonly waiting: number;
  /**
   * Why the run did not come to its end. One failed step: its failure (`internal` when it is a defect). Several: `steps-failed`, or
   * `not-ready` when all of them are, naming each step. An aborted signal: the code of the signal's reason, or `interrupted` when it has
   * none. Steps of `pass` that wait are no failure.
   */
  readonly failure?: FabricError | undefined;
}

export function reportOf(
  steps: readonly Step[],
  outcomes: ReadonlyMap<string, Outcome>,
  signal: AbortSignal,
): RunReport {
  const told = steps.filter((step) => step.expand === undefined).map(({ id }) => outcomes.get(id)?.result);
  const count = (result: Outcome["result"]) => told.filter((each) => each === result).length;
  // Who stops it just when it is done has it done.
  const isAllSo = steps.every(({ id }) => isSo(outcomes.get(id)));
  return {
    steps,
    outcomes,
    changed: count("changed"),
    unchanged: count("unchanged"),
    wouldChange: count("would-change"),
    waiting: count("waiting"),
    failure: signal.aborted && !isAllSo ? interruption(steps, outcomes, signal.reason) : together(steps, outcomes),
  };
}

export function isSo(outcome: Outcome | undefined): boolean {
  return outcome?.result === "changed" || outcome?.result === "unchanged";
}

/** The failure that ended a step; for a skipped step the failure of the step before it. */
export function failureOf(outcome: Outcome | undefined): unknown {
  if (outcome?.result === "failed" || outcome?.result === "required") return outcome.error;
  return outcome?.result === "skipped" ? outcome.failure : undefined;
}

/** What failed, as one failure. */
function together(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>): FabricError | undefined {
  const failures = steps.flatMap((step) => {
    const outcome = outcomes.get(step.id);
    return outcome?.result === "failed" || outcome?.result === "required" ? [{ step, error: outcome.error }] : [];
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

/** Anything else that is thrown is a defect. */
const asFailure = (error: unknown): FabricError =>
  error instanceof FabricError ? error : new FabricError("internal", messageOf(error), { cause: error });

const isNotReady = (error: unknown): boolean => error instanceof FabricError && error.code === "not-ready";

/** The failure after Ctrl-C or a deadline: `reason`, the signal's, says which. */
function interruption(steps: readonly Step[], outcomes: ReadonlyMap<string, Outcome>, reason: unknown): FabricError {
  const known = steps.filter(({ expand }) => expand === undefined);
  const undone = steps.filter(({ id }) => !isSo(outcomes.get(id)));
  const left = known.filter((step) => undone.includes(step));
  const code = reason instanceof FabricError ? reason.code : "interrupted";
  const told = undone.find(({ id }) => explained(outcomes.get(id), reason) !== undefined);
  const first = told ?? undone.find(({ id }) => outcomes.get(id)?.result === "failed") ?? left[0] ?? undone[0];
  const why = first && explained(outcomes.get(first.id), reason);
  const at = first ? `, at: ${first.title}${why ? `: ${why.message}` : ""}` : "";
  // What a heading brings nobody knows before.
  const count = undone.length > left.length ? "" : ` with ${left.length} of ${known.length} steps left`;
  return new FabricError(code, `${messageOf(reason)}${count}${at}`, {
    hint: why?.hint ?? "run the same command again: it goes on where it stopped",
    cause: reason,
  });
}

/** The step's own failure, when it says more than the signal's `reason`: what was missing until then. */
function explained(outcome: Outcome | undefined, reason: unknown): FabricError | undefined {
  if (outcome?.result !== "failed" || outcome.error === reason) return undefined;
  const { error } = outcome;
  return error instanceof FabricError && ["timeout", "not-ready"].includes(error.code) ? error : undefined;
}
