import { FabricError } from "../error.ts";
import { isCutOff, type Sleep } from "./eventually.ts";
import type { Lanes } from "./lanes.ts";
import { growingPauses, newPersistence, type Persistence } from "./persistence.ts";
import { isSo, type Outcome, type StepEvent } from "./report.ts";
import type { Slots } from "./slots.ts";
import type { Differs, Step, StepContext, Waiting } from "./step.ts";

/** What the steps of a run share. */
export interface Run {
  readonly dryRun: boolean;
  readonly oneRound: boolean;
  readonly consent: boolean;
  readonly signal: AbortSignal;
  readonly slots: Slots;
  readonly lanes: Lanes;
  readonly now: () => number;
  readonly sleep: Sleep;
  readonly emit: (event: StepEvent) => void;
}

/** A step under way. */
interface Work {
  readonly step: Step;
  readonly context: StepContext;
  /** Set when the step acts: the change that it had announced. */
  acted?: { readonly change: string | undefined };
  /** Set once the step has waited. */
  waited?: true;
  /** What it waited for last. It says more than the deadline that cut the wait off. */
  missing?: FabricError;
}

export interface Attempt {
  readonly outcome: Outcome;
  /** What it has brought. */
  readonly brought?: readonly Step[];
}

/** Runs one step from its first look to its end. A step that waits holds no slot. */
export async function attempt(
  step: Step,
  run: Run,
  begun: () => void,
  bring: (steps: readonly Step[]) => void,
): Promise<Attempt> {
  const { signal, slots, emit } = run;
  const context: StepContext = {
    signal,
    progress: (text) => emit({ type: "progress", step, text }),
    again: (because) => emit({ type: "again", step, because }),
  };
  const work: Work = { step, context };
  const persistence = newPersistence(step.patience, run.now);
  let isBegun = false;
  for (const looks = growingPauses(); ;) {
    let next: Attempt | Waiting | { readonly pause: number };
    await slots.take();
    try {
      if (signal.aborted) return { outcome: isBegun ? cutShort(signal.reason, work) : interrupted };
      if (!isBegun) begun();
      isBegun = true;
      next = await inSlot(work, run, bring);
    } catch (error) {
      next = afterFailure(error, work, run, persistence.after(error, work.acted !== undefined));
    } finally {
      slots.leave();
    }
    if ("outcome" in next) return next;
    if ("is" in next) {
      if (run.dryRun && !next.isDisturbance) return { outcome: wouldWait(step, next) };
      if (run.oneRound)
        return { outcome: { result: "waiting", missing: next.missing, acted: work.acted !== undefined } };
      next = await waited(next, looks, work, run).then(
        (pause) => (persistence.worked(), { pause }),
        // What cannot come any more is not waited for again: only a lost connection is.
        (error: unknown) => afterFailure(error, work, run, persistence.after(error, false)),
      );
      if ("outcome" in next) return next;
    }
    if (next.pause > 0) await run.sleep(next.pause, signal);
  }
}

/** Milliseconds: a watch that ends sooner may have ended for nothing. */
const shortWait = 100;

/** Waits for what is watched; gives the pause until the step is looked at again. */
async function waited(
  { missing, hint, until, isDisturbance }: Waiting,
  looks: () => number,
  work: Work,
  { now }: Run,
): Promise<number> {
  const { context } = work;
  const { signal } = context;
  if (!isDisturbance) work.waited = true;
  work.missing = new FabricError("not-ready", missing, { hint });
  if (!until) {
    context.progress(missing);
    return looks();
  }
  const started = now();
  try {
    await until(context);
  } catch (error) {
    const isCut =
      error === signal.reason || (signal.aborted && error instanceof FabricError && error.code === "interrupted");
    // Who watches knows better what is missing.
    if (!isCut) delete work.missing;
    throw error;
  }
  // Watches that end at once, again and again, must not have the step look without end. The first one costs nothing.
  return now() - started < shortWait ? looks() - shortWait : 0;
}

/** A pause after a failure that may pass by itself; any other failure ends the step. */
function afterFailure(
  error: unknown,
  work: Work,
  { signal, oneRound }: Run,
  further: ReturnType<Persistence["after"]>,
): Attempt | { readonly pause: number } {
  if (!further || signal.aborted || oneRound) return { outcome: cutShort(error, work) };
  const { message } = error as FabricError;
  if (further.isLost) {
    work.context.again?.(message);
  } else {
    work.context.progress(message);
    work.missing = error as FabricError;
  }
  return { pause: further.pause };
}

/** How a step ends by a failure. */
function cutShort(error: unknown, { context: { signal }, missing }: Work): Outcome {
  const { aborted, reason } = signal as { readonly aborted: boolean; readonly reason: unknown };
  if (!aborted) return { result: "failed", error };
  // After Ctrl-C nothing has failed, whatever the interrupted call says. After a deadline the step has failed, and `missing` says why.
  if (reason instanceof FabricError && reason.code === "interrupted") return interrupted;
  return { result: "failed", error: missing && (error === reason || isCutOff(error)) ? missing : error };
}

const interrupted: Outcome = { result: "skipped", because: "interrupted" };

/** A round of one step, and what it brings where it is so. */
async function inSlot(work: Work, run: Run, bring: (steps: readonly Step[]) => void): Promise<Attempt | Waiting> {
  const { step, context } = work;
  const found = await round(work, run);
  if ("is" in found) return found;
  const isThere = isSo(found) || (found.result === "would-change" && found.isThere === true);
  if (!step.expand || !isThere) return { outcome: found };
  const brought = await step.expand(context);
  bring(brought);
  return { outcome: found, brought };
}

/** Looks, and acts if the step differs. */
async function round(work: Work, run: Run): Promise<Outcome | Waiting> {
  const { step, context, acted, waited } = work;
  const observation = await step.observe(context);
  switch (observation.is) {
    case "so":
      // An act before a wait or a lost connection was this step's own; what the step waited for has come in this run.
      return {
        result: (acted || waited) && !step.isCheck && !observation.byOthers ? "changed" : "unchanged",
        detail: observation.detail ?? acted?.change,
      };
    case "waiting":
      return observation;
    case "required":
      // A dry run can look at the next steps although somebody else has to act first.
      if (run.dryRun) return { result: "would-change", detail: observation.failure.message, isThere: true };
      return { result: "required", of: observation.of, error: observation.failure };
    case "differs":
      return run.dryRun ? wouldChange(step, observation) : change(work, observation, run);
  }
}

const wouldWait = ({ isCheck }: Step, { change, missing }: Waiting): Outcome => ({
  result: isCheck ? "unchanged" : "would-change",
  detail: change ?? missing,
});

function wouldChange({ isCheck }: Step, { change: detail, isThere = false }: Differs): Outcome {
  if (isCheck) return { result: "unchanged", detail };
  return { result: "would-change", detail, ...(isThere ? { isThere } : {}) };
}

async function change(
  work: Work,
  { change: wanted, interrupts = false }: Differs,
  run: Run,
): Promise<Outcome | Waiting> {
  const { step, context } = work;
  if (step.removes && !run.consent) return { result: "kept", detail: wanted };
  if (!step.act) throw new FabricError("internal", `${step.id} differs, and has no way to act`);
  if (interrupts) {
    const instead = await turn(work, run);
    if (instead) return instead;
  } else {
    run.lanes.pass(step);
  }
  const before = work.acted;
  work.acted = { change: before?.change ?? wanted };
  delete work.missing;
  const said = await step.act(context);
  if (typeof said === "object" && "is" in said) return said;
  // What this step has begun before was not so already.
  if (typeof said === "object" && before) return { result: "changed", detail: before.change };
  if (typeof said === "object") return { result: "unchanged", detail: said.unchanged };
  return { result: step.isCheck ? "unchanged" : "changed", detail: said ?? wanted };
}

/** Waits for the step's turn without holding a slot. Undefined when the step may act; else what came of the wait. */
async function turn(work: Work, run: Run): Promise<Outcome | Waiting | undefined> {
  const { lanes, slots, signal } = run;
  slots.leave();
  const given = await lanes.take(work.step);
  await slots.take();
  if (given.is === "given") {
    signal.throwIfAborted();
    return given.waited ? round(work, run) : undefined;
  }
  const { by, how } = given;
  if (how === "failed") return { result: "skipped", because: `${by.title} failed` };
  return { result: "waiting", missing: `the turn of ${by.title} is not over`, acted: false };
}
