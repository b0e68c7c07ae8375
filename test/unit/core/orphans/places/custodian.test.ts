import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { custodianStates } from "../../../../../core/orphans/places/custodian.ts";

/** Of real peers, without most of their goroutines. */
const recorded = (name: string): readonly string[] =>
  readFileSync(join(import.meta.dirname, "./custodian", `${name}.txt`), "utf8").split("\n");
const inJson = (lines: readonly string[]): string =>
  JSON.stringify({ level: "info", name: "nodeCmd.diag", msg: `Go routines report:\n${lines.join("\n")}` });
const work = "github.com/hyperledger/fabric/core/chaincode/lifecycle.(*ChaincodeCustodian).Work(0xc000)";

describe.each(["2.5.16", "3.1.5"])("in the log of a peer %s", (version) => {
  test.each([
    ["that unpacks a package for an external builder", "building", ["building"]],
    ["that starts what a channel runs", "launching", ["through"]],
    ["that waits for work", "waiting", ["through"]],
  ])("%s", async (_, name, states) => {
    expect(await custodianStates(recorded(`${version}-${name}`))).toEqual(states);
  });

  test("one report after another, oldest first", async () => {
    const lines = [...recorded(`${version}-building`), "", ...recorded(`${version}-waiting`)];
    expect(await custodianStates(lines)).toEqual(["building", "through"]);
  });

  test("in JSON", async () => {
    const lines = ["{ not JSON", "{}", inJson(recorded(`${version}-building`)), inJson(recorded(`${version}-waiting`))];
    expect(await custodianStates(lines)).toEqual(["building", "through"]);
  });
});

describe("a custodian", () => {
  test.each([
    ["between two packages", ["sync.(*Mutex).Lock(...)"], "building"],
    [
      "in functions that nobody knows",
      ["github.com/hyperledger/fabric/core/chaincode/lifecycle.(*New).Wait(0xc000)"],
      "building",
    ],
  ])("%s", async (_, within, state) => {
    expect(await custodianStates(["goroutine 139 [running]:", ...within, work, ""])).toEqual([state]);
  });

  test("is not taken for through because another goroutine waits", async () => {
    const other = ["goroutine 1 [sync.Cond.Wait]:", "sync.(*Cond).Wait(0xc000)", "main.main()", ""];
    expect(await custodianStates([...other, "goroutine 2 [select]:", work])).toEqual(["building"]);
  });

  test("is looked for in reports alone", async () => {
    const chaincode =
      "2026-01-01 INFO [peer.chaincode.dev-peer0] func2 -> goroutine 1 [sync.Cond.Wait]: sync.(*Cond).Wait()";
    expect(await custodianStates([chaincode, work, ""])).toEqual([]);
  });
});
