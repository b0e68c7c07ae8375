import type { Command } from "commander";
import type { Terminal } from "../terminal/io.ts";
import type { OutputFormat } from "../terminal/output.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly network?: string;
  readonly output: OutputFormat;
  readonly verbose: boolean;
}

/** Options of commands that change something step by step. */
export interface PlanOptions {
  readonly dryRun: boolean;
  /** Seconds. */
  readonly timeout: number;
}

/**
 * Adds one command to the program. Only what its line of `--help` needs may be imported at the top of its file:
 * the work is imported when the command runs.
 */
export type CommandDefinition = (program: Command, terminal: Terminal) => void;

/** A command's options together with the global ones. */
export function optionsOf<T = object>(command: Command): GlobalOptions & T {
  const options: GlobalOptions & T = command.optsWithGlobals();
  return options;
}
