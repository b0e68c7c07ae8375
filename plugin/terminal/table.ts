const gap = "   ";
/** No column is made narrower than this for want of room. */
const narrowest = 5;

/**
 * Left-aligned columns, three spaces apart, headings in capitals: the look of kubectl's tables. What is wider than `width` takes the
 * room from its widest columns, whose cells go on in lines of their own: nothing is cut off. One line a row without a width.
 */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], width?: number): string {
  const all = [headings.map((heading) => heading.toUpperCase()), ...rows];
  const wanted = headings.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const widths = width === undefined ? wanted : fitted(all, wanted, width - gap.length * (headings.length - 1));
  return all
    .flatMap((row) => linesOf(row, widths))
    .map((line) => `${line}\n`)
    .join("");
}

/** As wide as there is room: no column narrower than its longest word, as long as there is room for that. */
function fitted(all: readonly (readonly string[])[], wanted: readonly number[], room: number): readonly number[] {
  const words = wanted.map((_, column) => Math.max(...all.flatMap((row) => wordsOf(row[column] ?? "").map(lengthOf))));
  const least = wanted.map((width) => Math.min(width, narrowest));
  return narrowed(narrowed(wanted, words, room), least, room);
}

const lengthOf = (word: string): number => word.trimEnd().length;

/** The widest column that may become narrower does, until there is room for all. */
function narrowed(wanted: readonly number[], least: readonly number[], room: number): readonly number[] {
  const widths = [...wanted];
  let excess = widths.reduce((sum, one) => sum + one, 0) - room;
  for (; excess > 0; excess -= 1) {
    const widest = Math.max(...widths.filter((width, column) => width > (least[column] ?? 0)));
    const column = widths.findIndex((width, index) => width === widest && width > (least[index] ?? 0));
    if (column < 0) break;
    widths[column] = widest - 1;
  }
  return widths;
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

/** What a line may break behind: blanks, and the signs within lists, paths and names. */
const wordsOf = (text: string): readonly string[] => text.split(/(?<=[,/:])(?=[^\s,/:])|(?<=\s)(?=\S)/);

/** Lines of a cell: broken between words, within one only where it is longer than a line. */
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
