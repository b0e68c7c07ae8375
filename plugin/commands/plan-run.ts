import { Option, type Command } from "commander";
import { FabricError } from "../../core/error.ts";
import type { Outcome, RunReport } from "../../core/engine/report.ts";
import type { Section } from "../../core/engine/section.ts";
import type { Remedy } from "../../core/remedy.ts";
import { failureData, type FailureData } from "../terminal/failure.ts";
import type { Terminal } from "../terminal/io.ts";
import { typed, type GivenCluster } from "../terminal/remedy.ts";
import { duration } from "./arguments.ts";
import type { GlobalOptions, PlanOptions } from "./command.ts";

/** The options of every command that changes something. */
export function planOptions(command: Command, defaultTimeout: string): Command {
  return command
    .option("--dry-run", "show what would be done and change nothing", false)
    .addOption(
      new Option("--timeout <time>", "give up after this time; what is done stays done")
        .argParser(duration)
        .default(duration(defaultTimeout), defaultTimeout),
    );
}

/** Milliseconds, 24 days: a timer of Node's that is to take longer ends at once. */
const longestTimer = 2 ** 31 - 1;

/** One part of what a command does; its steps are asked for only when those of the parts before are so. */
export interface Plan extends Section {
  /** The user wants removed what steps remove. It holds for the whole run as soon as one plan has it. */
  readonly consent?: true;
}

/** What json and yaml show of a run. */
export interface PlansReport {
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
  /** Where it did not come to its end. */
  readonly failure?: FailureData | undefined;
  /** The steps of the parts that were begun; after a part that failed none is. */
  readonly steps: readonly StepReport[];
}

interface StepReport {
  readonly id: string;
  readonly title: string;
  readonly result: Outcome["result"];
  readonly detail?: string | undefined;
  /** Of one that failed, or that somebody else has to act for. */
  readonly error?: FailureData;
  /** Who has to act. */
  readonly of?: string;
  /** Of one that was skipped. */
  readonly because?: string;
}

/**
 * Runs plans as one graph, each after the one before, with progress on standard error. In a dry run a plan after one that would change
 * something is only named, unless it has `looksAhead`. Throws the failure of the run. Before that, json and yaml show what was done, in the
 * form that `resultOf` gives it.
 */
export async function runPlans(
  terminal: Terminal,
  options: GlobalOptions & PlanOptions,
  plans: readonly Plan[],
  resultOf: (report: PlansReport) => unknown = (report) => report,
): Promise<PlansReport> {
  const [{ newProgress }, { converge }, { inTurn }] = await Promise.all([
    import("../terminal/progress.ts"),
    import("../../core/engine/run.ts"),
    import("../../core/engine/section.ts"),
  ]);
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new FabricError("timeout", `gave up after ${options.timeout} s`)),
    Math.min(options.timeout * 1000, longestTimer),
  );
  const signal = AbortSignal.any([terminal.signal, deadline.signal]);
  const progress = newProgress(terminal, { verbose: options.verbose || options.dryRun });
  const consent = plans.some((plan) => plan.consent);
  const { dryRun } = options;
  const ran = await converge(inTurn(plans), { dryRun, consent, signal, onEvent: progress.onEvent }).finally(() => {
    clearTimeout(timer);
    progress.close();
  });
  const report = summary(ran, options);
  const { failure } = ran;
  if (!failure) return report;
  if (options.output === "json" || options.output === "yaml") {
    const { printResult } = await import("../terminal/output.ts");
    await printResult(terminal, options.output, { data: resultOf(report), table: () => "" });
  }
  throw failure;
}

/** A look after the run, for the output alone. Undefined when it fails or is interrupted: the result is printed all the same. */
export async function lastLook<T>(look: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (!signal.aborted && !(error instanceof FabricError)) throw error;
    return undefined;
  }
}

function summary(
  { steps: all, outcomes, changed, unchanged, wouldChange, failure }: RunReport,
  given: GivenCluster,
): PlansReport {
  const steps = all.flatMap(({ id, title, expand }): StepReport[] => {
    const outcome = outcomes.get(id);
    if (!outcome || expand) return [];
    const { result } = outcome;
    switch (result) {
      case "failed":
        return [{ id, title, result, error: failureData(outcome.error, given) }];
      case "required":
        return [{ id, title, result, of: outcome.of, error: failureData(outcome.error, given) }];
      case "skipped":
        return [{ id, title, result, because: outcome.because }];
      case "waiting":
        return [{ id, title, result, detail: outcome.missing }];
      default:
        return [{ id, title, result, detail: outcome.detail }];
    }
  });
  return { changed, unchanged, wouldChange, failure: failure && failureData(failure, given), steps };
}

/** The last sentence of a plan for people: what came out, and what to type next on the same cluster, if that is known. */
export function conclusion(report: PlansReport, next: Remedy | undefined, given: GivenCluster = {}): string {
  if (report.wouldChange > 0) return `dry run: ${count(report.wouldChange, "step")} to do; nothing was changed\n`;
  const done = report.changed === 0 ? "nothing to do: all is as wanted" : `done: ${count(report.changed, "step")}`;
  return `${done}\n${next ? `next: ${typed(next, given)}\n` : ""}`;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
