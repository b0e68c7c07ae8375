/** Why a text is no JSON, and where. */
export interface JsonProblem {
  readonly expected: string;
  /** In quotes, or "the end". */
  readonly found: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
}

export type ReadJson = { readonly value: unknown } | { readonly problem: JsonProblem };

/** Reads JSON that a user wrote. V8's own errors name the place of some mistakes only, and quote the text. */
export function readJson(text: string): ReadJson {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    const { at, expected } = mistakeIn(text) ?? { at: text.length, expected: "JSON" };
    return { problem: { expected, found: foundAt(text, at), ...placeOf(text, at) } };
  }
}

/** "a value, found "]" at line 3, column 5" */
export function describeProblem(problem: JsonProblem): string {
  return `${problem.expected}, found ${problem.found} at ${describePlace(problem)}`;
}

/** "line 3, column 5": for texts that a message must not quote. */
export const describePlace = ({ line, column }: JsonProblem): string => `line ${line}, column ${column}`;

interface Mistake {
  readonly at: number;
  readonly expected: string;
}

/** The first place where a text is not JSON (RFC 8259); undefined when all of it is. */
export function mistakeIn(text: string): Mistake | undefined {
  try {
    const end = space(text, value(text, space(text, 0)));
    if (end < text.length) throw new Stop(end, "the end");
    return undefined;
  } catch (stop) {
    if (stop instanceof Stop) return stop;
    throw stop;
  }
}

class Stop extends Error implements Mistake {
  readonly at: number;
  readonly expected: string;

  constructor(at: number, expected: string) {
    super(expected);
    this.at = at;
    this.expected = expected;
  }
}

/** This and the functions below read from `at` and return the position after what they have read. */
function value(text: string, at: number): number {
  switch (text[at]) {
    case "{":
      return members(text, at, "}", member, 'a name in double quotes or "}"');
    case "[":
      return members(text, at, "]", value, 'a value or "]"');
    case '"':
      return string(text, at);
    default: {
      const end = matched(
        /(?:true|false|null)(?![A-Za-z0-9_])|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y,
        text,
        at,
      );
      if (end === undefined) throw new Stop(at, "a value");
      return end;
    }
  }
}

function members(
  text: string,
  start: number,
  close: "}" | "]",
  one: (text: string, at: number) => number,
  first: string,
): number {
  let at = space(text, start + 1);
  if (text[at] === close) return at + 1;
  if (at === text.length) throw new Stop(at, first);
  for (;;) {
    at = space(text, one(text, at));
    if (text[at] === close) return at + 1;
    if (text[at] !== ",") throw new Stop(at, `"," or "${close}"`);
    at = space(text, at + 1);
  }
}

function member(text: string, at: number): number {
  if (text[at] !== '"') throw new Stop(at, "a name in double quotes");
  const colon = space(text, string(text, at));
  if (text[colon] !== ":") throw new Stop(colon, '":"');
  return value(text, space(text, colon + 1));
}

function string(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    // Control characters have to be written as escapes.
    while (text[at] !== '"' && text[at] !== "\\" && text.charCodeAt(at) >= 0x20) at += 1;
    if (text[at] === '"') return at + 1;
    const escape = matched(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y, text, at);
    if (escape !== undefined) at = escape;
    else if (text[at] === "\\") throw new Stop(at, 'an escape like \\n, \\" or \\u00e9');
    else throw new Stop(at, 'the rest of a string and its "');
  }
}

const space = (text: string, at: number): number => matched(/[ \t\n\r]*/y, text, at) ?? at;

function matched(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function foundAt(text: string, at: number): string {
  const [first] = text.slice(at);
  if (first === undefined) return "the end";
  if (first === "\ufeff") return "a byte order mark";
  if (first === "\n" || first === "\r") return "the end of the line";
  const word = /^[A-Za-z0-9_]{1,20}/.exec(text.slice(at))?.[0] ?? first;
  return word === '"' ? "'\"'" : `"${word}"`;
}

function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const lines = text.slice(0, at).split("\n");
  return { line: lines.length, column: Array.from(lines.at(-1) ?? "").length + 1 };
}
