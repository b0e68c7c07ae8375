import { describe, expect, test } from "vitest";
import type { BroughtImage } from "../../../../core/chaincode/daily/seed-plan.ts";
import { seedTable } from "../../../../plugin/commands/seed-table.ts";

const id = (label: string, digit: string) => `${label}:${digit.repeat(64)}`;
const report = { changed: 4, unchanged: 1, wouldChange: 0, steps: [] };

describe("what chaincode seed says at its end", () => {
  test("which peer got which image from where, how much was sent, whatever the order in which they came", () => {
    const brought: readonly BroughtImage[] = [
      { peer: "peer1.org1", packageId: id("token", "b"), provision: { how: "left" } },
      {
        peer: "peer1.org1",
        packageId: id("asset", "a"),
        provision: { how: "copied", from: "peer0.org1", bytes: 1_500_000 },
      },
      { peer: "peer0.org2", packageId: id("asset", "a"), provision: { how: "composed", bytes: 60_500_000 } },
      { peer: "peer1.org2", packageId: id("asset", "a"), provision: { how: "present" } },
    ];
    const expected = [
      "PEER         PACKAGE              ITS IMAGE                                 SENT",
      "peer0.org2   asset:aaaaaaaaaaaa   made of the package                       60.5 MB",
      "peer1.org1   asset:aaaaaaaaaaaa   from peer0.org1                           1.5 MB",
      "peer1.org1   token:bbbbbbbbbbbb   no daemon has it: the next call builds it   -",
      "peer1.org2   asset:aaaaaaaaaaaa   was there; the package was not            -",
      "62.0 MB sent",
      "done: 4 steps",
      "",
    ];
    const squeezed = (text: string) => text.replaceAll(/ {2,}/g, "  ");
    for (const one of [brought, brought.toReversed()]) {
      expect(squeezed(seedTable(report, one))).toBe(squeezed(expected.join("\n")));
    }
  });

  test("that nothing was missing", () => {
    expect(seedTable({ ...report, changed: 0 }, [])).toBe("nothing to do: all is as wanted\n");
  });
});
