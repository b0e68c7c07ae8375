import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { table } from "../../../../plugin/terminal/table.ts";

const headings = ["peer", "state", "why"];
const rows = [
  ["peer0.org1", "kept", "its image is that of the committed definition, and a peer that starts builds it again"],
  ["peer1.org1", "gone", "-"],
];
const linesOf = (text: string): readonly string[] => text.split("\n").slice(0, -1);
const widest = (text: string): number => Math.max(...linesOf(text).map(({ length }) => length));

describe("a table", () => {
  test("without a width is one line a row, whatever its length", () => {
    expect(linesOf(table(headings, rows))).toHaveLength(3);
    expect(widest(table(headings, rows))).toBeGreaterThan(100);
  });

  test("that fits is the same with a width", () => {
    expect(table(headings, rows, 120)).toBe(table(headings, rows));
  });

  test("takes room from its widest column only", () => {
    expect(table(headings, rows, 60)).toBe(
      [
        "PEER         STATE   WHY",
        "peer0.org1   kept    its image is that of the committed",
        "                     definition, and a peer that starts",
        "                     builds it again",
        "peer1.org1   gone    -",
        "",
      ].join("\n"),
    );
  });

  test("breaks lists and names behind their signs, and no word as long as there is room for it", () => {
    const peers = [["asset", "/Channel/Application/Endorsement", "peer0.org1:running peer0.org2:running"]];
    expect(linesOf(table(["name", "policy", "peers"], peers, 40))).toEqual([
      "NAME    POLICY           PEERS",
      "asset   /Channel/        peer0.org1:",
      "        Application/     running",
      "        Endorsement      peer0.org2:",
      "                         running",
    ]);
  });

  test("breaks a word that is longer than there is room", () => {
    const ids = [["asset:0123456789abcdef0123456789abcdef", "org1,org2,org3,org4"]];
    expect(linesOf(table(["package", "orgs"], ids, 30))).toEqual([
      "PACKAGE                  ORGS",
      "asset:                   org1,",
      "0123456789abcdef012345   org2,",
      "6789abcdef               org3,",
      "                         org4",
    ]);
  });

  const word = fc.stringMatching(/^[a-z0-9:,.-]{1,30}$/);
  const cell = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(" "));
  const tables = fc
    .integer({ min: 1, max: 6 })
    .chain((columns) => fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: 1 }));

  test("loses nothing, and keeps to its width where there is room for its columns", () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 80, max: 200 }), ([first = [], ...more], width) => {
        const text = table(first, more, width);
        expect(widest(text)).toBeLessThanOrEqual(width);
        const letters = (all: string) => all.replaceAll(/\s/g, "").toLowerCase().split("").toSorted().join("");
        expect(letters(text)).toBe(letters([first, ...more].flat().join("")));
      }),
    );
  });
});
