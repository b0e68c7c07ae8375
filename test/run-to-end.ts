import type { RunReport } from "../core/engine/report.ts";
import { converge, type RunOptions } from "../core/engine/run.ts";
import type { Step } from "../core/engine/step.ts";

/** Runs a plan that nobody reads the report of where it fails: throws its failure. */
export async function runToEnd(steps: readonly Step[], options: RunOptions = {}): Promise<RunReport> {
  const report = await converge(steps, options);
  if (report.failure) throw report.failure;
  return report;
}
