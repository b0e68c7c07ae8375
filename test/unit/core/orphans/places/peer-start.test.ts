import { describe, expect, test } from "vitest";
import {
  againOperation,
  cleanupPlans,
  doubts,
  isIncomplete,
  removeOperation,
  together,
} from "../../../../../plugin/commands/cleanup/plans.ts";
import { cleanupClosing } from "../../../../../plugin/commands/cleanup/table.ts";
import type { PlansReport } from "../../../../../plugin/commands/plan-run.ts";
import { typed } from "../../../../../plugin/terminal/remedy.ts";
import { FabricError, LostConnection } from "../../../../../core/error.ts";
import type { Cleanup } from "../../../../../core/orphans/cleanup.ts";
import type { CustodianState } from "../../../../../core/orphans/places/custodian.ts";
import { findingKey, type Finding } from "../../../../../core/orphans/judgement/finding.ts";
import type { PeerFacts } from "../../../../../core/orphans/judgement/judgement.ts";
import type { PackageState } from "../../../../../core/orphans/judgement/package-state.ts";
import { peerStart, type PeerProcess, type PeerStart } from "../../../../../core/orphans/places/peer-start.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import type { Step } from "../../../../../core/engine/step.ts";

const needed: PackageState = { state: "needed", because: "mychannel runs it" };
const superseded: PackageState = { state: "superseded", because: "asset is at 2" };
const having = (...states: readonly PackageState[]): PeerFacts => ({
  known: true,
  packages: new Map(states.map((state, index) => [`asset_${index}:aa`, state])),
});
const { signal } = new AbortController();

/** A peer that answers each question with the next of these, or with nothing. */
function answering(answers: readonly (CustodianState | Error | undefined)[], log: CustodianState[] = []) {
  let questions = 0;
  const pauses: number[] = [];
  const process: PeerProcess = {
    states: async () => [...log],
    askForReport: async () => {
      if (questions === answers.length) throw new Error("expected no further question");
      const answer = answers[questions++];
      if (answer instanceof Error) throw answer;
      if (answer !== undefined) log.push(answer);
    },
  };
  const pause = async (milliseconds: number) => void pauses.push(milliseconds);
  const start = peerStart("peer0.org1", having(needed, superseded), process, pause) as PeerStart;
  return { start, log, pauses, questions: () => questions };
}

const told: string[] = [];
const observe = ({ step }: PeerStart) => step.observe({ signal, progress: (text) => told.push(text) });

describe("the start of a peer", () => {
  test.each([
    ["with nothing superseded", having(needed), undefined],
    ["of which nobody knows", { known: false, code: "connection", because: "no answer" } as const, undefined],
    ["with something superseded", having(needed, superseded), new Set(["asset_1:aa"])],
  ])("%s", (_, facts, packages) => {
    const process = { states: async () => [], askForReport: async () => {} };
    expect(peerStart("peer0.org1", facts, process)?.superseded).toEqual(packages);
  });

  test("that its log has shown to be over is not asked for again", async () => {
    const { start, questions } = answering([], ["building", "through"]);
    expect(await observe(start)).toEqual({ is: "so" });
    expect([questions(), await start.doubt(signal), start.built()]).toEqual([0, undefined, false]);
  });

  test("that is over is shown by one answer", async () => {
    const { start, questions, pauses } = answering(["through"]);
    expect(await observe(start)).toEqual({ is: "so" });
    expect([questions(), pauses, await start.doubt(signal), start.built()]).toEqual([1, [], undefined, false]);
  });

  test("that is not over is waited for", async () => {
    const { start, questions } = answering(["building", "building", "through"]);
    expect(await observe(start)).toEqual({ is: "so" });
    expect([questions(), await start.doubt(signal), start.built()]).toEqual([3, undefined, true]);
    expect(told).toContain("it builds");
  });

  test("is waited for until somebody interrupts", async () => {
    const interrupted = new FabricError("interrupted", "interrupted");
    const pause = () => Promise.reject(interrupted);
    const process = { states: async () => ["building" as const], askForReport: async () => {} };
    const controller = new AbortController();
    controller.abort(interrupted);
    const start = peerStart("peer0.org1", having(superseded), process, pause) as PeerStart;
    await expect(start.step.observe({ signal: controller.signal, progress: () => {} })).rejects.toBe(interrupted);
  });

  test("of which its log shows nothing stays in doubt", async () => {
    const { start, questions } = answering([undefined]);
    const because = "its log shows no report of what its goroutines are at";
    expect(await observe(start)).toEqual({ is: "so", detail: `not shown: ${because}` });
    expect([questions(), await start.doubt(signal)]).toEqual([1, because]);
  });

  test("that nobody may ask for stays in doubt", async () => {
    const { start } = answering([new FabricError("forbidden", "you may not exec")]);
    expect(await observe(start)).toMatchObject({ is: "so" });
    expect(await start.doubt(signal)).toBe("you may not exec");
  });

  test("is asked for again when the connection was lost", async () => {
    const { start } = answering([new LostConnection("cut"), "through"]);
    await runToEnd([start.step], { signal, sleep: async () => {} });
    expect(await start.doubt(signal)).toBeUndefined();
  });

  test("is in doubt again when the peer was started anew after its answer", async () => {
    const { start, log } = answering(["through"]);
    await observe(start);
    log.length = 0;
    expect(await start.doubt(signal)).toMatch(/^it was started again meanwhile/);
  });
});

describe("a cleanup", () => {
  const image = (name: string, packageId: string | undefined): Finding => ({
    source: "dind",
    kind: "image",
    place: "org1/peer0-0",
    name,
    peer: "peer0.org1",
    packageId,
    verdict: "orphan",
    because: "asset is at 2",
  });
  const findings = [image("old", "asset_1:aa"), image("stray", "gone:aa"), image("nameless", undefined)];
  const order: string[] = [];
  const removal = (finding: Finding): Step => ({
    id: findingKey(finding),
    title: finding.name,
    after: [],
    observe: async () => ({ is: "differs" }),
    act: async () => void order.push(finding.name),
  });
  const opened = (starts: readonly PeerStart[]): Cleanup => ({
    findings,
    uncommitted: [],
    blind: [],
    starts,
    steps: findings.map(removal),
    again: async () => {
      const fresh = [image("old", "asset_1:aa"), image("late", "asset_1:aa")];
      return { findings: fresh, uncommitted: [], blind: [], steps: fresh.map(removal) };
    },
    close: async () => {},
  });

  async function carryOut(
    found: Cleanup,
  ): Promise<{ readonly report: PlansReport; readonly removed: readonly Finding[] }> {
    order.length = 0;
    let removed: readonly Finding[] = found.findings;
    const steps: PlansReport["steps"][number][] = [];
    for (const plan of cleanupPlans(found, (later) => (removed = together(found, later).findings))) {
      const { outcomes } = await runToEnd(await plan.steps(signal), { signal });
      steps.push(...[...outcomes].map(([id, { result }]) => ({ id, title: id, result })));
    }
    return { report: { changed: 0, unchanged: 0, wouldChange: 0, steps }, removed };
  }

  test("waits for nobody where nothing is superseded", async () => {
    expect(cleanupPlans(opened([]), () => {})).toHaveLength(1);
    await carryOut(opened([]));
    expect(order).toEqual(["old", "stray", "nameless"]);
  });

  test("removes what a peer would build again after its start, all else at once, and once more what was built", async () => {
    const { start } = answering(["building", "through"]);
    const { report, removed } = await carryOut(opened([start]));
    expect(order).toEqual(["stray", "nameless", "old", "old", "late"]);
    expect(removed.map(({ name }) => name)).toEqual(["old", "stray", "nameless", "late"]);
    expect(await doubts([start], removed, report, "hint", signal)).toEqual([]);
  });

  test("does not look again at peers that were through", async () => {
    const { start } = answering(["through"]);
    await carryOut(opened([start]));
    expect(order.toSorted()).toEqual(["nameless", "old", "stray"]);
  });

  test("says of which peers it may come back what was removed", async () => {
    const { start } = answering([undefined]);
    const { report, removed } = await carryOut(opened([start]));
    expect(order).toContain("old");
    const because = "its log shows no report of what its goroutines are at";
    expect(await doubts([start], removed, report, "hint", signal)).toEqual([
      { peer: "peer0.org1", because, hint: "hint" },
    ]);
    const nothing = { ...report, steps: report.steps.filter(({ title }) => !title.includes("old")) };
    expect(await doubts([start], removed, nothing, "hint", signal)).toEqual([]);
  });

  test("ends with the statement, in words and by its exit code", () => {
    const report = { changed: 2, unchanged: 0, wouldChange: 0, steps: [] };
    const doubt = { peer: "org3/peer-0", because: "you may not exec", hint: "kubectl fabric cleanup --yes" };
    expect(cleanupClosing(opened([]), report, [], "")).toBe("done: 2 steps\n");
    expect(cleanupClosing(opened([]), report, [doubt], "")).toBe(
      "done: 2 steps\na second run may be needed:\norg3/peer-0 may build again what was removed: you may not exec\n" +
        "next: kubectl fabric cleanup --yes\n",
    );
    const unseen = { place: "peer0.org1", code: "connection", because: "no answer" } as const;
    const untold = { place: "org3/peer-0", code: "not-found", because: "nobody told" } as const;
    expect([isIncomplete([untold], []), isIncomplete([], [doubt]), isIncomplete([unseen], [])]).toEqual([
      false,
      true,
      true,
    ]);
  });

  test.each([
    [{}, "kubectl fabric cleanup --yes"],
    [
      { source: ["dind", "host-docker"], mspDir: ["Org3MSP=./msp"] },
      "kubectl fabric cleanup --yes --source dind,host-docker --msp-dir Org3MSP=./msp",
    ],
    [
      { olderThan: 60, org: ["org1"], peer: ["peer0.org1"], gonePeer: ["fabric/peer1.org1"] },
      "kubectl fabric cleanup --yes --org org1 --peer peer0.org1 --gone-peer fabric/peer1.org1",
    ],
  ])("says what to type then: %j", (options, command) => {
    expect(typed(againOperation(options))).toBe(command);
  });

  test.each([
    [{}, "kubectl fabric cleanup --yes"],
    [{ peer: ["peer0.org1"] }, "kubectl fabric cleanup --yes --peer peer0.org1"],
    [{ org: ["org1"], olderThan: 60 }, "kubectl fabric cleanup --yes --older-than 1m --org org1"],
    [{ olderThan: 604_800 }, "kubectl fabric cleanup --yes --older-than 7d"],
    [{ olderThan: 0 }, "kubectl fabric cleanup --yes --older-than 0s"],
    [{ mspDir: ["A=./a b", "B=./b"] }, 'kubectl fabric cleanup --yes --msp-dir "A=./a b" --msp-dir B=./b'],
    [
      { source: ["host-docker"], nodeNamespace: "kube-system", nodeImage: "docker:28-cli", nodeSocket: "/d.sock" },
      "kubectl fabric cleanup --yes --source host-docker --node-namespace kube-system --node-image docker:28-cli " +
        "--node-socket /d.sock",
    ],
  ])("of what was only shown says what to type, with what it was narrowed by: %j", (options, command) => {
    expect(cleanupClosing(opened([]), undefined, [], typed(removeOperation(options)))).toBe(
      `nothing was changed\nnext: ${command}\n`,
    );
  });
});
