import type { Command } from "commander";

/** Command lines, and what the domain is asked for each. */
export interface Table {
  /** As the command's action makes it. */
  readonly request: (command: Command) => unknown;
  /** Words without a blank in them; '' is an empty one. */
  readonly rows: readonly (readonly [line: string, request: unknown])[];
}

/** With rows of the request's own type. */
export const table = <T>(
  request: (command: Command) => T | Promise<T>,
  ...rows: readonly (readonly [line: string, request: T])[]
): Table => ({ request, rows });

type Typed = Readonly<Record<string, unknown>>;

/** Of a command whose action passes on what was typed as it is, one by one: its words and its own options. */
export const asTyped = (...rows: readonly (readonly [line: string, typed: Typed])[]): Table =>
  table((command): Typed => ({ words: command.args, ...command.opts() }), ...rows);

/** Options that can be repeated. */
export type Lists = Readonly<Record<string, readonly string[] | undefined>>;

/** What those with steps have unless told. */
export const unplanned = { dryRun: false, timeout: 300 };
/** --dry-run --timeout 7s */
export const planned = { dryRun: true, timeout: 7 };
