import { Option, type Command } from "commander";
import { FabricError } from "../../core/error.ts";
import type { Outcome, RunReport } from "../../core/engine/run.ts";
import type { Step } from "../../core/engine/step.ts";
import { defectOf, failureData, type FailureData } from "../terminal/failure.ts";
import type { Terminal } from "../terminal/io.ts";
import { duration } from "./arguments.ts";
import type { GlobalOptions, PlanOptions } from "./command.ts";
import { onSameCluster, type GivenCluster } from "./same-cluster.ts";

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

/** One plan of a command; `steps` is asked for only when the plans before are done. */
export interface Plan {
  readonly title: string;
  readonly steps: (signal: AbortSignal) => readonly Step[] | Promise<readonly Step[]>;
}

/** What json and yaml show of a run. */
export interface PlansReport {
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
  /** Where it did not come to its end. */
  readonly failure?: FailureData | undefined;
  /** Of the plans that were begun: none is after one that failed. */
  readonly steps: readonly StepReport[];
}

interface StepReport {
  readonly id: string;
  readonly title: string;
  readonly result: Outcome["result"];
  readonly detail?: string | undefined;
  /** Of one that failed. */
  readonly error?: FailureData;
  /** Of one that was skipped. */
  readonly because?: string;
}

/**
 * Runs plans one after another, with progress on standard error. In a dry run a plan behind one that would change something cannot be looked at, and is named only.
 * Throws the first failure, after which no plan is begun; before that json and yaml get what was done, as `resultOf` has it in the command's own result.
 */
export async function runPlans(
  terminal: Terminal,
  options: GlobalOptions & PlanOptions,
  plans: readonly Plan[],
  resultOf: (report: PlansReport) => unknown = (report) => report,
): Promise<PlansReport> {
  const [{ newProgress }, { againWhenLost }, { runSteps }] = await Promise.all([
    import("../terminal/progress.ts"),
    import("../../core/engine/again.ts"),
    import("../../core/engine/run.ts"),
  ]);
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new FabricError("timeout", `gave up after ${options.timeout} s`)),
    options.timeout * 1000,
  );
  const signal = AbortSignal.any([terminal.signal, deadline.signal]);
  const progress = newProgress(terminal, { verbose: options.verbose || options.dryRun });
  const typed = (hint: string) => onSameCluster(hint, options);
  const reports: PlansReport[] = [];
  let failure: Error | undefined;
  try {
    for (const { title, steps } of plans) {
      if (reports.some(({ wouldChange }) => wouldChange > 0)) {
        progress.behind(title);
        continue;
      }
      progress.heading(title);
      const plan = await againWhenLost(async () => steps(signal), {
        signal,
        onLost: ({ message }) => progress.lost(message),
      });
      const report = await runSteps(plan, { dryRun: options.dryRun, signal, onEvent: progress.onEvent });
      reports.push(summary(plan, report, typed));
      if (report.failure) throw report.failure;
    }
  } catch (error) {
    failure = error instanceof Error ? error : defectOf(error);
  } finally {
    clearTimeout(timer);
    progress.close();
  }
  const report = {
    changed: sum(reports.map(({ changed }) => changed)),
    unchanged: sum(reports.map(({ unchanged }) => unchanged)),
    wouldChange: sum(reports.map(({ wouldChange }) => wouldChange)),
    failure: failure && failureData(failure, typed),
    steps: reports.flatMap(({ steps }) => steps),
  };
  if (!failure) return report;
  if (options.output === "json" || options.output === "yaml") {
    const { printResult } = await import("../terminal/output.ts");
    await printResult(terminal, options.output, { data: resultOf(report), table: () => "" });
  }
  throw failure;
}

/** What is looked at once all is done. Undefined where that fails or is interrupted: what was done has to be told all the same. */
export async function lastLook<T>(look: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await look;
  } catch (error) {
    if (!signal.aborted && !(error instanceof FabricError)) throw error;
    return undefined;
  }
}

function summary(
  plan: readonly Step[],
  { outcomes, changed, unchanged, wouldChange }: RunReport,
  typed: (hint: string) => string,
): PlansReport {
  const steps = plan.flatMap(({ id, title }): StepReport[] => {
    const outcome = outcomes.get(id);
    if (!outcome) return [];
    const { result } = outcome;
    if (result === "failed") return [{ id, title, result, error: failureData(outcome.error, typed) }];
    if (result === "skipped") return [{ id, title, result, because: outcome.because }];
    return [{ id, title, result, detail: outcome.detail }];
  });
  return { changed, unchanged, wouldChange, steps };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/** The last sentence of a plan for people: what came out, and what to type next on the same cluster, if that is known. */
export function conclusion(report: PlansReport, next: string | undefined, given: GivenCluster = {}): string {
  if (report.wouldChange > 0) return `dry run: ${count(report.wouldChange, "step")} to do; nothing was changed\n`;
  const done = report.changed === 0 ? "nothing to do: all is as wanted" : `done: ${count(report.changed, "step")}`;
  return `${done}\n${next ? `next: ${onSameCluster(next, given)}\n` : ""}`;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
