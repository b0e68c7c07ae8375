import { columnsOf } from "./columns.ts";
import type { Terminal } from "./io.ts";
import { visible } from "./visible.ts";

export const outputFormats = ["table", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** One result in every output format. */
export interface Result {
  /** For json and yaml. */
  readonly data: unknown;
  /** For people; ends with a newline when not empty. Without a width, lines are not wrapped. */
  readonly table: (width: number | undefined) => string;
  /** Set when `table` has colours. Then it has already applied `visible` to foreign text. */
  readonly painted?: true;
  /** One name a line, for xargs; absent when the command refuses this format. */
  readonly names?: () => readonly string[];
}

export async function printResult({ stdout, env }: Terminal, format: OutputFormat, result: Result): Promise<void> {
  const shown = await render(format, result, columnsOf(stdout, env));
  const forPeople = format === "table" || format === "name";
  stdout.write(forPeople && !result.painted ? visible(shown) : shown);
}

async function render(
  format: OutputFormat,
  { data, table, names }: Result,
  width: number | undefined,
): Promise<string> {
  switch (format) {
    case "json":
      return `${JSON.stringify(data, null, 2)}\n`;
    case "yaml":
      return (await import("./yaml.ts")).stringify(data);
    case "name":
      return (names?.() ?? []).map((name) => `${name}\n`).join("");
    case "table":
      return table(width);
  }
}
