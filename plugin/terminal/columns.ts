import type { Terminal } from "./io.ts";

/**
 * How many columns there are for people to read: what COLUMNS says, else the terminal's; undefined in a pipe, where lines may be as
 * long as they are.
 */
export function columnsOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Terminal["env"],
): number | undefined {
  const told = env["COLUMNS"] ?? "";
  if (/^[1-9][0-9]{0,4}$/.test(told)) return Number(told);
  return stream.isTTY && stream.columns ? stream.columns : undefined;
}

/** Where there is no terminal: what is readable everywhere. */
export const usualColumns = 80;
