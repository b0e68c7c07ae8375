import type { RunReport } from "../core/engine/report.ts";
import { converge, type RunOptions } from "../core/engine/run.ts";
import type { Step } from "../core/engine/step.ts";

/** Runs a plan as a command does that was told to, with consent to removals: throws its failure. */
export async function runToEnd(steps: readonly Step[], options: RunOptions = {}): Promise<RunReport> {
  const report = await converge(steps, { consent: true, ...options });
  if (report.failure) throw report.failure;
  return report;
}
