import { expect, test } from "vitest";
import { splitManifest } from "../../../../../core/injection/manifest/split-manifest.ts";

test.each<[string, readonly string[]]>([
  ["", [""]],
  ["a: 1\n", ["a: 1\n"]],
  ["a: 1\n---\nb: 1\n--- # c\n---\r\nc: 1", ["a: 1\n", "---\nb: 1\n", "--- # c\n", "---\r\nc: 1"]],
  ["a: |\n  ---\n", ["a: |\n  ---\n"]],
  ["----\n", ["----\n"]],
  ["%YAML 1.1\n# c\n---\na: 1\n", ["%YAML 1.1\n# c\n---\na: 1\n"]],
  ['{"a":1}{"b":2}', ['{"a":1}', '{"b":2}']],
  ['\n{"a":"}{"}\n\n{"b":"\\"{"}\n', ['\n{"a":"}{"}', '\n\n{"b":"\\"{"}\n']],
  ['{"a":1}\n---\n{"b":2}\n', ['{"a":1}\n', '---\n{"b":2}\n']],
  ['{"a":1}\n--- # c\nb: 2\n', ['{"a":1}\n', "--- # c\nb: 2\n"]],
  ["{a: 1}\n---\nb: 2\n", ["{a: 1}\n", "---\nb: 2\n"]],
  ['{"a":1', ['{"a":1']],
])("%j", (text, documents) => {
  expect(splitManifest(text)).toEqual(documents);
});
