import { describe, expect, test } from "vitest";
import type { PeerFacts } from "../../../../plugin/orphans/judgement.ts";
import type { PackageState } from "../../../../plugin/orphans/package-state.ts";
import { peerPod } from "../../../../plugin/orphans/peer-pod.ts";
import { settledStep, settling } from "../../../../plugin/orphans/settling.ts";
import { runSteps } from "../../../../plugin/steps/run.ts";

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
    ["with what it may build again", having(needed, superseded), 13.9, after(14)],
    ["long enough ago", having(needed, superseded), 14, undefined],
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
  const waitingFor = (milliseconds: number) => {
    const until = new Date(Date.now() + milliseconds);
    return settledStep([{ peer: "peer0.org1", packages: 51, startedAt: started, until }]);
  };

  test("ends when the last of them is through, and not before", async () => {
    const begin = Date.now();
    expect(await runSteps([waitingFor(300)])).toMatchObject({ changed: 1 });
    expect(Date.now() - begin).toBeGreaterThanOrEqual(299);
    expect(await runSteps([waitingFor(0)])).toMatchObject({ unchanged: 1 });
  });

  test("ends at once when interrupted", async () => {
    const interrupted = AbortSignal.timeout(50);
    await expect(runSteps([waitingFor(60_000)], { signal: interrupted })).rejects.toMatchObject({
      code: "interrupted",
    });
  });
});
