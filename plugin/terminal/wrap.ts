import { Help } from "commander";

const help = new Help();
help.minWidthToWrap = 1;

/** Text in lines of a width, broken at blanks; a longer word stands in a line of its own. Line breaks stay. */
export function wrap(text: string, width: number): readonly string[] {
  return help.boxWrap(text, Math.max(1, width)).split("\n");
}

/** The same; what is longer than a line is broken anywhere, so that no line is. */
export function wrapHard(text: string, width: number): readonly string[] {
  return wrap(text, width).flatMap((line) => pieces(line, Math.max(1, width)));
}

function pieces(line: string, width: number): readonly string[] {
  if (line.length <= width) return [line];
  return Array.from({ length: Math.ceil(line.length / width) }, (_, index) =>
    line.slice(index * width, (index + 1) * width),
  );
}
