import type { Terminal } from "./io.ts";

/**
 * The width for people, in columns: COLUMNS, else the terminal's; undefined in a pipe without COLUMNS, where lines are not wrapped.
 */
export function columnsOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Terminal["env"],
): number | undefined {
  const told = env["COLUMNS"] ?? "";
  if (/^[1-9][0-9]{0,4}$/.test(told)) return Number(told);
  return stream.isTTY && stream.columns ? stream.columns : undefined;
}

/** The width of help without a terminal. */
export const usualColumns = 80;
