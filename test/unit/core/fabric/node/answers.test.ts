// The table against what real nodes of both lines have answered (test/contract/golden).
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { answers, says, type Answer } from "../../../../../core/fabric/node/answers.ts";

const golden = join(import.meta.dirname, "../../../../contract/golden");

/** All texts in the recorded answers of a case, as our own errors quote them. */
function textsOf(path: string): readonly string[] {
  const texts: string[] = [];
  JSON.parse(readFileSync(join(golden, path), "utf8"), (_, value: unknown) => {
    if (typeof value === "string") texts.push(`something at a node: ${value}`);
    return value;
  });
  return texts;
}

const table = Object.entries<Answer>(answers).flatMap(([name, answer]) =>
  answer.known.map((line) => ({ name, line, answer })),
);

test("no text keeps a place from one message to the next", () => {
  const texts = Object.values<Answer>(answers).map(({ text }) => text);
  expect(texts.filter(({ global, sticky }) => global || sticky)).toEqual([]);
});

describe("an answer by which a node is understood", () => {
  test.each(table.filter(({ answer }) => answer.contract !== "none"))(
    "$name was given by $line in its contract case",
    ({ line, answer }) => {
      expect(textsOf(`${line}/${answer.contract}.json`).filter((text) => says(text, answer))).not.toEqual([]);
    },
  );

  test.each(table.filter(({ answer }) => answer.contract === "none"))(
    "$name has no contract case, for no recorded one of $line has it",
    ({ line, answer }) => {
      const cases = globSync(`${line}/**/*.json`, { cwd: golden });
      expect(cases.length).toBeGreaterThan(0);
      expect(cases.filter((path) => textsOf(path).some((text) => says(text, answer)))).toEqual([]);
    },
  );
});
