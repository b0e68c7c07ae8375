import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { describeProblem, mistakeIn, readJson } from "../../../../core/fabric/json-text.ts";

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe("JSON that a user wrote", () => {
  test.each<[string, string]>([
    ["", "a value, found the end at line 1, column 1"],
    ["{", 'a name in double quotes or "}", found the end at line 1, column 2'],
    ["[", 'a value or "]", found the end at line 1, column 2'],
    ['[{"name": "a"},\n]', 'a value, found "]" at line 2, column 1'],
    ['[\n  {"name": "a" "policy": "p"}\n]', `"," or "}", found '"' at line 2, column 16`],
    ['[\n  {"name": "a"}\n  {"name": "b"}\n]', '"," or "]", found "{" at line 3, column 3'],
    ['{"Args" ["a"]}', '":", found "[" at line 1, column 9'],
    ["{Args: []}", 'a name in double quotes, found "Args" at line 1, column 2'],
    ["['a']", `a value, found "'" at line 1, column 2`],
    ["[True]", 'a value, found "True" at line 1, column 2'],
    ['["a\nb"]', 'the rest of a string and its ", found the end of the line at line 1, column 4'],
    ['["\\d"]', 'an escape like \\n, \\" or \\u00e9, found "\\" at line 1, column 3'],
    ['["a', 'the rest of a string and its ", found the end at line 1, column 4'],
    ["[01]", '"," or "]", found "1" at line 1, column 3'],
    ["{} x", 'the end, found "x" at line 1, column 4'],
    ['{"é😀": nope}', 'a value, found "nope" at line 1, column 8'],
    ["\ufeff[]", "a value, found a byte order mark at line 1, column 1"],
    ['{"a": 1,}', 'a name in double quotes, found "}" at line 1, column 9'],
  ])("%j: expected %s", (text, message) => {
    const read = readJson(text);
    expect("problem" in read && describeProblem(read.problem)).toBe(message);
  });

  test("is read", () => expect(readJson('{"a": [1, -0.5e+3, null]}')).toEqual({ value: { a: [1, -500, null] } }));

  test("has no mistake just when it is JSON, whatever is changed in it", () => {
    const written = fc.json().chain((text) =>
      fc.record({
        text: fc.constant(text),
        at: fc.nat(text.length),
        removed: fc.nat(2),
        added: fc.constantFrom("", ",", "}", "]", '"', "\\", ":", "0", "-", ".", "e", "true", " ", "\n", "\u0000", "u"),
      }),
    );
    fc.assert(
      fc.property(written, ({ text, at, removed, added }) => {
        const changed = text.slice(0, at) + added + text.slice(at + removed);
        expect(mistakeIn(changed) === undefined).toBe(isJson(changed));
      }),
      { numRuns: 2000 },
    );
  });
});
