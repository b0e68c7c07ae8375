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
      "PACKAGE                ORGS",
      "asset:                 org1,",
      "0123456789abcdef0123   org2,",
      "456789abcdef           org3,",
      "                       org4",
    ]);
  });

  test("is a block a row where there is no room for its words side by side", () => {
    const many = ["channel", "name", "sequence", "policy"];
    const policy = "/Channel/Application/Endorsement";
    const all = [
      ["mychannel", "asset", "1", policy],
      ["second", "asset", "2", policy],
    ];
    expect(linesOf(table(many, all, 30))).toEqual([
      "CHANNEL    mychannel",
      "NAME       asset",
      "SEQUENCE   1",
      "POLICY     /Channel/",
      "           Application/",
      "           Endorsement",
      "",
      "CHANNEL    second",
      "NAME       asset",
      "SEQUENCE   2",
      "POLICY     /Channel/",
      "           Application/",
      "           Endorsement",
    ]);
    expect(linesOf(table(many, [], 20))).toEqual(["CHANNEL", "NAME", "SEQUENCE", "POLICY"]);
  });

  const word = fc.stringMatching(/^[a-z0-9:,.-]{1,30}$/);
  const cell = fc.array(word, { minLength: 1, maxLength: 8 }).map((words) => words.join(" "));
  const heading = fc.stringMatching(/^[a-z]{1,12}$/);
  const tables = fc.integer({ min: 1, max: 6 }).chain((columns) => {
    const of = (one: fc.Arbitrary<string>) => fc.array(one, { minLength: columns, maxLength: columns });
    return fc.tuple(of(heading), fc.array(of(cell), { minLength: 1 }));
  });

  test("loses nothing, and keeps to its width", () => {
    fc.assert(
      fc.property(tables, fc.integer({ min: 50, max: 200 }), ([first, more], width) => {
        const text = table(first, more, width);
        expect(widest(text)).toBeLessThanOrEqual(width);
        // Headings stand once, or in front of each row's cells.
        const times = linesOf(text).filter((line) => line === "").length + 1;
        const headed = (count: number) => [...Array.from({ length: count }, () => first).flat(), ...more.flat()];
        const letters = (all: string) => all.replaceAll(/\s/g, "").toLowerCase().split("").toSorted().join("");
        expect(letters(text)).toBe(letters(headed(times).join("")));
      }),
    );
  });
});
