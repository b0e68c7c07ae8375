import { wrap } from "./wrap.ts";

/**
 * Examples, fitted to the terminal's width. A line has a command and, after three blanks or more, its purpose. When a line of a block is
 * too long, the block's purposes are put above the commands, and long commands are continued as in a shell. Other lines are text.
 */
export function fittedExamples(text: string, width: number): string {
  return blocksOf(text.split("\n"))
    .flatMap((block) =>
      block.every((line) => line.length <= width) ? block : block.flatMap((line) => fit(line, width)),
    )
    .join("\n");
}

/** Blocks of adjacent examples; every other line is a block of its own. */
function blocksOf(lines: readonly string[]): readonly (readonly string[])[] {
  const blocks: string[][] = [];
  for (const line of lines) {
    const block = blocks.at(-1);
    if (block !== undefined && isExample(line) && isExample(block[0] ?? "")) block.push(line);
    else blocks.push([line]);
  }
  return blocks;
}

const isExample = (line: string): boolean => /^ {2}\S/.test(line);

function fit(line: string, width: number): readonly string[] {
  if (!isExample(line)) return wrap(line, width);
  const [, command = "", comment] = /^ {2}(.*?)(?: {3,}(\S.*))?$/.exec(line) ?? [];
  const above = comment === undefined ? [] : wrap(comment, width - 4).map((part) => `  # ${part}`);
  return [...above, ...commandLines(command, width)];
}

/** Breaks a command between shell words. Quoted text stays together, and so does an option with its value. */
function commandLines(command: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = " ";
  for (const word of partsOf(command)) {
    const longer = `${line} ${word}`;
    // Leaves room for " \".
    if (longer.length <= width - 2 || line.trim() === "") {
      line = longer;
      continue;
    }
    lines.push(`${line} \\`);
    line = `      ${word}`;
  }
  return [...lines, line];
}

function partsOf(command: string): readonly string[] {
  const parts: string[] = [];
  for (const word of command.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []) {
    const before = parts.at(-1);
    if (before !== undefined && /^-\S*$/.test(before) && !word.startsWith("-"))
      parts[parts.length - 1] = `${before} ${word}`;
    else parts.push(word);
  }
  return parts;
}
