import { describe, expect, test } from "vitest";
import { FabricError } from "../../../../core/error.ts";
import { formatDuration } from "../../../../plugin/terminal/duration.ts";
import { defectOf, exitCodeOf, formatFailure } from "../../../../plugin/terminal/failure.ts";
import { table } from "../../../../plugin/terminal/table.ts";

test.each([
  [0, "0 ms"],
  [999, "999 ms"],
  [1000, "1.0 s"],
  [59_949, "59.9 s"],
  [59_950, "1 min 0 s"],
  [125_000, "2 min 5 s"],
])("formatDuration(%d) is %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test("a table has aligned columns and no trailing blanks", () => {
  expect(
    table(
      ["name", "ready"],
      [
        ["peer0", "yes"],
        ["p", "no"],
      ],
    ),
  ).toBe("NAME    READY\npeer0   yes\np       no\n");
});

describe("failures", () => {
  const failure = new FabricError("not-found", "expected a network, found none", { hint: "kubectl fabric init" });

  test("two lines for people", () => {
    expect(formatFailure(failure, "table", false)).toBe(
      "error: expected a network, found none\nhint: kubectl fabric init\n",
    );
  });

  test("an object for scripts", () => {
    expect(JSON.parse(formatFailure(failure, "json", false))).toEqual({
      error: { code: "not-found", message: "expected a network, found none", hint: "kubectl fabric init" },
    });
  });

  test("what was thrown by mistake is called a defect; causes are shown only when asked for", () => {
    const defect = new TypeError("x is not a function", { cause: new Error("deeper") });
    expect(formatFailure(defect, undefined, false)).toMatch(/^error: x is not a function\nhint: this is a defect/);
    expect(formatFailure(defect, undefined, true)).toMatch(/caused by:\nError: deeper/);
  });

  test("what nobody was there to catch is a defect of ours, whatever it says of itself", () => {
    const thrown = defectOf(new FabricError("usage", "lost\nwith details", { hint: "type it again" }));
    expect(formatFailure(thrown, "table", false)).toBe(
      "error: lost\nhint: this is a defect of kubectl-fabric: KUBECTL_FABRIC_DEBUG=1 shows where, please report it\n",
    );
    expect(exitCodeOf(thrown)).toBe(1);
  });

  test.each([
    ["usage", 2],
    ["not-ready", 3],
    ["interrupted", 130],
    ["timeout", 1],
    ["conflict", 1],
  ] as const)("%s ends with %d", (code, exit) => {
    expect(exitCodeOf(new FabricError(code, ""))).toBe(exit);
  });
});
