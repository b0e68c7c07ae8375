import { columnsOf } from "./columns.ts";
import type { Terminal } from "./io.ts";
import { visible } from "./visible.ts";

export const outputFormats = ["table", "json", "yaml", "name"] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** One result in all the forms that a user may ask for. */
export interface Result {
  /** What json and yaml print. */
  readonly data: unknown;
  /** For people; ends with a newline when not empty. As wide as it comes without a width. */
  readonly table: (width: number | undefined) => string;
  /** What `table` gives has colours: what others wrote in it has been made visible before. */
  readonly painted?: true;
  /** One name a line, for xargs; absent where the command refuses this form. */
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
