import { Help } from "commander";

const help = new Help();
help.minWidthToWrap = 1;

/** Breaks text into lines of a width, at blanks; a longer word gets a line of its own. Line breaks stay. */
export function wrap(text: string, width: number): readonly string[] {
  return help.boxWrap(text, Math.max(1, width)).split("\n");
}
