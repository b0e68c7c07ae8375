import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { allowing } from "../../contract/answers/differences.ts";
import { expectedOf, record } from "../../contract/answers/golden.ts";
import { plain, printable } from "../../contract/answers/json.ts";
import { withPlaceholders } from "../../contract/answers/placeholders.ts";
import { hear, listen, look, unheard, type Heard } from "../../integration/emulator/network/answers.ts";

const a = "a".repeat(64);
const b = "b".repeat(64);

describe("placeholders", () => {
  test("give equal values equal names, in the order in which they stand", () => {
    const answers = [
      { tx: b, answer: `transaction ${b} after ${a}` },
      { tx: a, answer: `assets:${"c".repeat(64)}` },
    ];
    expect(withPlaceholders(answers, [])).toEqual([
      { tx: "<tx-1>", answer: "transaction <tx-1> after <hash-1>" },
      { tx: "<hash-1>", answer: "assets:<hash-2>" },
    ]);
  });

  test("stand for nodes, ports, times, certificates and blocks, and spaces are one kind", () => {
    const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const answers = [
      "127.0.0.1:7051 and 127.0.0.1:1 and localhost:7052, 127.0.0.1:1 again",
      "at 2026-01-02T03:04:05.678Z and 2026-01-02 03:04:05.6 +0000 UTC m=+0.5",
      certificate,
      "block 7",
      "sequence 7",
      "0".repeat(64),
      "proto:\u00a0cannot parse",
    ];
    expect(withPlaceholders(answers, [["127.0.0.1:7051", "<peer0.Org1MSP>"]])).toEqual([
      "<peer0.Org1MSP> and 127.0.0.1:<port-1> and localhost:<port-2>, 127.0.0.1:<port-1> again",
      "at <time-1> and <time-2>",
      "<certificate-1>",
      "<block-1>",
      "sequence 7",
      "0".repeat(64),
      "proto: cannot parse",
    ]);
  });
});

describe("plain JSON of a message", () => {
  test("has lists and maps under their own names, maps in order", () => {
    const answer = {
      namesList: ["x"],
      approvalsMap: [
        ["b", true],
        ["a", { itemsList: [] }],
      ],
      gone: undefined,
    };
    expect(JSON.stringify(plain(answer))).toBe('{"names":["x"],"approvals":{"a":{"items":[]},"b":true}}');
    expect(
      plain(
        new Map([
          ["b", 1],
          ["a", 2],
        ]),
      ),
    ).toEqual({ a: 2, b: 1 });
  });

  test("shows bytes as text where they are text", () => {
    expect(printable(Buffer.from('{"a":1}'))).toBe('{"a":1}');
    expect(printable(Uint8Array.of(0, 255))).toBe("base64 AP8=");
  });
});

describe("listening", () => {
  test("hears what a wait found at last, and nothing of its earlier looks", async () => {
    const heard: Heard[] = [];
    await listen(heard, async () => {
      hear("first", 1);
      for (const count of [0, 1, 2]) {
        await look(() => {
          hear("look", count);
          return count === 2 ? true : undefined;
        });
      }
      await unheard(async () => hear("never", 3));
    });
    hear("outside", 4);
    expect(heard.map((one) => one.kind === "fact" && [one.what, one.answer])).toEqual([
      ["first", 1],
      ["look", 2],
    ]);
  });
});

describe("golden files", () => {
  const release = { home: "/fabric", version: "3.1.5", line: "3.1", sampleMspFiles: [] };
  const real = { name: "3.1.5", line: "3.1", release };
  const emulator = { name: "emulator", line: "3.1" };
  const answered = [{ call: "x", answer: { message: "as recorded", status: 500 } }];
  const other = [{ call: "x", answer: { message: "the emulator's", status: 500 } }];
  const difference = { recording: "area/case", at: "0/answer/message", because: "tested here" };
  let golden: string;
  beforeEach(() => void (golden = mkdtempSync(join(tmpdir(), "golden-"))));
  afterEach(() => rmSync(golden, { recursive: true }));
  const expected = (column: typeof emulator, found: typeof answered, known = [difference]) =>
    expectedOf(golden, column, "area/case", found, "area.test.ts", known);

  test("are written of real nodes only, and never of the emulator", () => {
    record(golden, real, "area/case", answered);
    expect(JSON.parse(readFileSync(join(golden, "3.1/area/case.json"), "utf8"))).toEqual(answered);
    expect(() => record(golden, emulator, "area/case", answered)).toThrow(/found the emulator/);
  });

  test("have to be there, and the failure says how they are made", () => {
    expect(() => expected(emulator, answered)).toThrow(/RECORD=1 npx vitest run --project contract area\.test\.ts/);
    expect(expected(emulator, [])).toEqual([]);
  });

  test("allow the emulator alone a difference that is known, and only while there is one", () => {
    record(golden, real, "area/case", answered);
    expect(expected(emulator, other)).toEqual(other);
    expect(expected(real, other)).toEqual(answered);
    expect(expected(emulator, other, [])).toEqual(answered);
    expect(() => expected(emulator, answered)).toThrow(/does no longer: remove the difference/);
  });

  test("differ in one value, and in nothing beside it", () => {
    const changed = [{ call: "y", answer: { message: "the emulator's", status: 500 } }];
    expect(allowing([difference], answered, changed)).toEqual(other);
    expect(allowing([{ ...difference, at: "0/answer/event" }], [{ answer: { event: 1 } }], [{ answer: {} }])).toEqual([
      { answer: {} },
    ]);
  });
});
