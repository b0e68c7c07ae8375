const gap = "   ";
/** A column is never narrower than its longest word; a longer one, such as a hash, may be broken. */
const longestWord = 20;

/**
 * Left-aligned columns, three spaces apart, headings in capitals, like kubectl's tables. When a table is wider than `width`, its widest
 * columns become narrower and their cells are wrapped: nothing is cut off. When there is no room even for words, each row becomes a block
 * with a line for each cell. Without a width, each row is one line.
 */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], width?: number): string {
  const capitals = headings.map((heading) => heading.toUpperCase());
  const all = [capitals, ...rows];
  const widths = fitted(all, width);
  const lines = widths ? all.flatMap((row) => linesOf(row, widths)) : blocks(capitals, rows, width ?? 0);
  return lines.map((line) => `${line}\n`).join("");
}

/** The columns' widths; undefined when there is no room for the columns. */
function fitted(all: readonly (readonly string[])[], width: number | undefined): readonly number[] | undefined {
  const columns = all[0] ?? [];
  const most = (length: (cell: string) => number) =>
    columns.map((_, column) => Math.max(...all.map((row) => length(row[column] ?? ""))));
  const wanted = most(({ length }) => length);
  if (width === undefined) return wanted;
  const least = most((cell) => Math.min(longestWord, Math.max(0, ...wordsOf(cell).map(lengthOf))));
  return narrowed(wanted, least, width - gap.length * (columns.length - 1));
}

const lengthOf = (word: string): number => word.trimEnd().length;

/** Narrows the widest column that is above its least width, until all fit; undefined when none can be narrowed. */
function narrowed(wanted: readonly number[], least: readonly number[], room: number): readonly number[] | undefined {
  const widths = [...wanted];
  let excess = widths.reduce((sum, one) => sum + one, 0) - room;
  for (; excess > 0; excess -= 1) {
    const widest = Math.max(...widths.filter((width, column) => width > (least[column] ?? 0)));
    const column = widths.findIndex((width, index) => width === widest && width > (least[index] ?? 0));
    if (column < 0) return undefined;
    widths[column] = widest - 1;
  }
  return widths;
}

/** A block for each row, with the headings on the left; an empty line between blocks. */
function blocks(headings: readonly string[], rows: readonly (readonly string[])[], width: number): readonly string[] {
  const label = Math.max(...headings.map(({ length }) => length));
  const room = Math.max(1, width - label - gap.length);
  if (rows.length === 0) return headings;
  return rows.flatMap((row, index) => [
    ...(index === 0 ? [] : [""]),
    ...headings.flatMap((heading, column) => linesOf([heading, row[column] ?? ""], [label, room])),
  ]);
}

function linesOf(row: readonly string[], widths: readonly number[]): readonly string[] {
  const cells = widths.map((width, column) => broken(row[column] ?? "", width));
  const height = Math.max(...cells.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) =>
    cells
      .map((cell, column) => (cell[line] ?? "").padEnd(widths[column] ?? 0))
      .join(gap)
      .trimEnd(),
  );
}

/** The parts between which a line may break: after blanks, commas, slashes and colons. */
const wordsOf = (text: string): readonly string[] => text.split(/(?<=[,/:])(?=[^\s,/:])|(?<=\s)(?=\S)/);

/** Lines of a cell, broken between words; a word is broken only when it is longer than a line. */
function broken(text: string, width: number): readonly string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const part of wordsOf(text)) {
    if (`${line}${part}`.trimEnd().length <= width) {
      line += part;
      continue;
    }
    if (line !== "") lines.push(line.trimEnd());
    line = part;
    for (; line.trimEnd().length > width; line = line.slice(width)) lines.push(line.slice(0, width));
  }
  return [...lines, line.trimEnd()];
}
