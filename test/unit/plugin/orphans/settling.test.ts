import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { cleanupPlans } from "../../../../plugin/commands/cleanup-plans.ts";
import { FabricError } from "../../../../plugin/error.ts";
import type { Cleanup, Leftovers } from "../../../../plugin/orphans/cleanup.ts";
import type { Finding } from "../../../../plugin/orphans/finding.ts";
import type { PeerFacts } from "../../../../plugin/orphans/judgement.ts";
import type { PackageState } from "../../../../plugin/orphans/package-state.ts";
import { peerPod } from "../../../../plugin/orphans/peer-pod.ts";
import { pauseUntil, settledAt, settling, whenQuiet } from "../../../../plugin/orphans/settling.ts";

const started = new Date("2026-06-01T00:00:00Z");
const after = (seconds: number): Date => new Date(started.getTime() + seconds * 1000);
const needed: PackageState = { state: "needed", because: "mychannel runs it" };
const superseded: PackageState = { state: "superseded", because: "asset is at 2" };
const environment = { value: () => undefined };
const status = (name: string) => ({ name, image: "", imageID: "", ready: true, restartCount: 0 });
const pod = {
  metadata: { name: "peer0-0", namespace: "org1" },
  status: {
    containerStatuses: [
      { ...status("metrics"), state: { running: { startedAt: after(-3600) } } },
      { ...status("peer"), state: { running: { startedAt: started } } },
    ],
  },
};
const peer = peerPod(pod, "peer", environment);
const having = (...states: readonly PackageState[]): PeerFacts => ({
  known: true,
  packages: new Map(states.map((state, index) => [`asset_${index}`, state])),
});
const thousand = Array.from({ length: 1000 }, () => superseded);

describe("a peer that has just started", () => {
  test.each([
    ["with what it may build again", having(needed, superseded), 0, after(16)],
    ["and takes longer than others", having(needed, superseded), 29.9, after(16)],
    ["long enough ago", having(needed, superseded), 30, undefined],
    ["with nothing superseded", having(needed), 0, undefined],
    ["and does not answer", { known: false, code: "connection", because: "no answer" } as const, 0, undefined],
    ["with more packages than anybody waits for", having(needed, ...thousand), 0, after(300)],
  ])("%s", (_, facts, seconds, until) => {
    expect(settling(peer, facts, after(seconds))?.until).toEqual(until);
  });

  test("in a Pod that does not say since when", () => {
    expect(settling(peerPod({}, "peer", environment), having(superseded), started)).toBeUndefined();
  });
});

describe("waiting for peers", () => {
  // Time passes when a test says so, and nothing takes any.
  beforeEach(() => void vi.useFakeTimers({ fakeNodeBuiltins: true, now: started }));
  afterEach(() => void vi.useRealTimers());

  /** How many seconds pass until it ends, and how. */
  async function endOf<T>(running: Promise<T>) {
    const end = running.then(
      (value) => ({ value, seconds: performance.now() / 1000 }),
      (error: unknown) => ({ error, seconds: performance.now() / 1000 }),
    );
    const begin = performance.now() / 1000;
    await vi.runAllTimersAsync();
    const { seconds, ...how } = await end;
    return { ...how, seconds: seconds - begin };
  }

  const finding = (name: string): Finding => ({
    source: "dind",
    kind: "image",
    place: "org1/peer0-0",
    name,
    verdict: "orphan",
    because: "asset is at 2",
  });
  const { signal } = new AbortController();
  const quiet = { quietFor: 10_000, every: 2000, atMost: 60_000 };

  test("ends by the time of the last of them", async () => {
    const until = settledAt([after(0), after(20), after(-5)].map((time) => ({ peer: "peer0.org1", until: time })));
    expect(await endOf(pauseUntil(until, signal))).toEqual({ value: undefined, seconds: 20 });
    expect(await endOf(pauseUntil(until, signal))).toEqual({ value: undefined, seconds: 0 });
  });

  test("ends when interrupted", async () => {
    const interrupted = new FabricError("interrupted", "interrupted");
    const controller = new AbortController();
    setTimeout(() => controller.abort(interrupted), 5000);
    expect(await endOf(pauseUntil(after(20), controller.signal))).toEqual({ error: interrupted, seconds: 5 });
    expect(await endOf(pauseUntil(after(20), controller.signal))).toEqual({ error: interrupted, seconds: 0 });
  });

  test("ends when nothing has come for a while", async () => {
    const comes = [["a"], ["a"], ["a", "b"], ["a", "b", "c"]];
    let looks = 0;
    const look = async () => ({ findings: (comes[looks++] ?? comes.at(-1) ?? []).map(finding) });
    const findings = ["a", "b", "c"].map(finding);
    // What comes last is seen at the fourth look, after 6 seconds.
    expect(await endOf(whenQuiet(look, signal, quiet))).toEqual({ value: { findings }, seconds: 16 });
    expect(looks).toBe(9);
  });

  test("ends with what is there when it never stops coming", async () => {
    let looks = 0;
    const look = async () => ({ findings: [finding(String(looks++))] });
    const findings = [finding("30")];
    expect(await endOf(whenQuiet(look, signal, quiet))).toEqual({ value: { findings }, seconds: 60 });
  });
});

test("a plan waits for peers only where there are such", async () => {
  const opened: Cleanup = {
    findings: [],
    uncommitted: [],
    blind: [],
    settling: [],
    steps: [],
    again: async () => ({ ...opened, blind: [{ place: "peer0.org1", code: "not-ready", because: "later" }] }),
    close: async () => {},
  };
  const seen: Leftovers[] = [];
  const plansOf = (one: Cleanup) => cleanupPlans(one, (found) => seen.push(found));
  expect(plansOf(opened).map(({ title }) => title)).toEqual(["cleanup"]);
  const [first, second] = plansOf({ ...opened, settling: [{ peer: "peer0.org1", until: started }] });
  expect(first?.title).toBe("cleanup: peer0.org1 started lately and may build again what is removed");
  const later = { peer: "peer0.org2", until: new Date("2999-01-01T00:00:00Z") };
  expect(plansOf({ ...opened, settling: [later] })[0]?.title).toMatch(/^cleanup, at 00:00:00Z: peer0\.org2 started/);
  expect(second?.title).toBe("cleanup of what peer0.org1 built again, when nothing more comes");
  expect(await first?.steps(new AbortController().signal)).toEqual([]);
  expect(seen).toMatchObject([{ blind: [{ because: "later" }] }]);
});
