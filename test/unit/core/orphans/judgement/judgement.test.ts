import { describe, expect, test } from "vitest";
import {
  agreed,
  judgeLeftover,
  judgePackage,
  type AgeLimit,
  type PeerFacts,
} from "../../../../../core/orphans/judgement/judgement.ts";
import { packageStates, type ChannelFacts } from "../../../../../core/orphans/judgement/package-state.ts";

const id = (label: string) => `${label}:${"ab".repeat(32)}`;
const installed = (label: string, ...references: { channel: string; name: string; version: string }[]) => ({
  packageId: id(label),
  label,
  references,
});
const now = new Date("2026-06-01T00:00:00Z");
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);

describe("the state of a package", () => {
  const channel = (changes: Partial<ChannelFacts>): ChannelFacts => ({
    channel: "ch1",
    committed: [{ name: "asset", sequence: 3 }],
    approved: [],
    ...changes,
  });

  test.each([
    ["a reference", [installed("a", { channel: "ch1", name: "asset", version: "1" })], [channel({})], "needed"],
    ["nothing", [installed("a")], [channel({})], "uncommitted"],
    ["no channel at all", [installed("a")], [], "uncommitted"],
    [
      "an old sequence",
      [installed("a")],
      [channel({ approved: [{ name: "asset", sequence: 2, packageId: id("a") }] })],
      "superseded",
    ],
    [
      "the next sequence, approved and not committed",
      [installed("a")],
      [channel({ approved: [{ name: "asset", sequence: 4, packageId: id("a") }] })],
      "needed",
    ],
    [
      "the committed sequence, which the peer has yet to learn of",
      [installed("a")],
      [channel({ approved: [{ name: "asset", sequence: 3, packageId: id("a") }] })],
      "needed",
    ],
    [
      "a name that was never committed",
      [installed("a")],
      [channel({ approved: [{ name: "other", sequence: 1, packageId: id("a") }] })],
      "needed",
    ],
    [
      "an old sequence here and the next one there",
      [installed("a")],
      [
        channel({ approved: [{ name: "asset", sequence: 4, packageId: id("a") }] }),
        channel({ channel: "ch2", approved: [{ name: "asset", sequence: 1, packageId: id("a") }] }),
      ],
      "needed",
    ],
    [
      "an old sequence on a channel and a reference on another",
      [installed("a", { channel: "ch2", name: "asset", version: "1" })],
      [channel({ approved: [{ name: "asset", sequence: 1, packageId: id("a") }] })],
      "needed",
    ],
    [
      "an approval without package",
      [installed("a")],
      [channel({ approved: [{ name: "asset", sequence: 2, packageId: undefined }] })],
      "uncommitted",
    ],
  ] as const)("%s", (_, packages, channels, state) => {
    expect(packageStates(packages, channels).get(id("a"))?.state).toBe(state);
  });

  test("a package that is approved and not installed here is known, too", () => {
    const channels = [channel({ approved: [{ name: "asset", sequence: 4, packageId: id("b") }] })];
    expect(packageStates([], channels).get(id("b"))?.state).toBe("needed");
  });
});

describe("the verdict", () => {
  const facts: PeerFacts = {
    known: true,
    packages: new Map([
      [id("needed"), { state: "needed", because: "mychannel runs it" }],
      [id("old"), { state: "superseded", because: "asset is at 3" }],
      [id("new"), { state: "uncommitted" }],
    ]),
  };
  const unknown: PeerFacts = { known: false, code: "connection", because: "peer0 cannot be asked" };
  const any: AgeLimit = { now, olderThan: undefined };

  test.each([
    ["needed", facts, 0, any, "needed"],
    ["old", facts, 0, any, "orphan"],
    ["new", facts, 1e6, any, "kept"],
    ["absent", facts, 599, any, "kept"],
    ["absent", facts, 600, any, "orphan"],
    ["absent", facts, 0, { now, olderThan: 0 }, "orphan"],
    ["old", facts, 59, { now, olderThan: 60 }, "kept"],
    ["old", facts, 60, { now, olderThan: 60 }, "orphan"],
    ["needed", unknown, 1e6, { now, olderThan: 0 }, "kept"],
    ["absent", unknown, 1e6, { now, olderThan: 0 }, "kept"],
  ] as const)("%s of %o, %d s old", (label, known, seconds, age, verdict) => {
    expect(judgePackage(id(label), known, ago(seconds), age).verdict).toBe(verdict);
  });

  test("what has no age is no orphan where an age is asked for", () => {
    expect(judgePackage(id("old"), facts, undefined, { now, olderThan: 60 }).verdict).toBe("kept");
    expect(judgePackage(id("old"), facts, undefined, any).verdict).toBe("orphan");
    expect(judgeLeftover("a build went through it", undefined, any).verdict).toBe("kept");
  });

  test("of several peers the one that needs it decides, then the one that is not known", () => {
    const orphan = { verdict: "orphan", because: "o" } as const;
    const kept = { verdict: "kept", because: "k" } as const;
    const needed = { verdict: "needed", because: "n" } as const;
    expect(agreed([orphan, kept, needed], "nobody")).toBe(needed);
    expect(agreed([orphan, kept], "nobody")).toBe(kept);
    expect(agreed([orphan, orphan], "nobody")).toBe(orphan);
    expect(agreed([], "nobody")).toEqual({ verdict: "kept", because: "nobody" });
  });
});
