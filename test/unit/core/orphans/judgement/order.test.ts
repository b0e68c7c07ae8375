// The same cluster gives the same table: peers, Docker and the API server tell the same things in another order each time.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DiskUsage } from "../../../../../core/docker/disk-usage.ts";
import { containerNameOf, imageNameOf } from "../../../../../core/fabric/chaincode/chaincode-container.ts";
import { judgeMade } from "../../../../../core/orphans/places/builder-k8s.ts";
import { judgeDaemon, type DaemonUser } from "../../../../../core/orphans/places/daemon-contents.ts";
import { steady } from "../../../../../core/orphans/judgement/facts.ts";
import type { Finding } from "../../../../../core/orphans/judgement/finding.ts";
import type { PeerFacts } from "../../../../../core/orphans/judgement/judgement.ts";
import { allInOrder } from "../../../../../core/orphans/judgement/order.ts";
import {
  packageStates,
  type ChannelFacts,
  type PackageState,
} from "../../../../../core/orphans/judgement/package-state.ts";
import { judgeServerBy, judgeService } from "../../../../../core/orphans/places/service.ts";
import { ordered } from "../../../../../core/orphans/survey.ts";
import { cleanupTable } from "../../../../../plugin/commands/cleanup/table.ts";

const now = new Date("2026-06-01T00:00:00Z");
const old = new Date("2026-01-01T00:00:00Z");
const age = { now, olderThan: undefined };
const id = (label: string) => `${label}:${"ab".repeat(32)}`;

const shuffled = <Item>(items: readonly Item[]): fc.Arbitrary<Item[]> =>
  fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });

/** Whatever the order, the result is that of the order in which they are written here. */
function alike<Item>(items: readonly Item[], result: (items: readonly Item[]) => unknown): void {
  const expected = result(items);
  fc.assert(
    fc.property(shuffled(items), (order) => {
      expect(result(order)).toEqual(expected);
    }),
  );
}

const superseded = (because: string): PackageState => ({ state: "superseded", because });
const known = (...packages: readonly [string, PackageState][]): PeerFacts => ({
  known: true,
  packages: new Map(packages),
});
const silent = (because: string): PeerFacts => ({ known: false, code: "connection", because });

describe("the state of a package", () => {
  const approved = ["asset", "token"].flatMap((name) =>
    [1, 2, 10, 3].flatMap((sequence) => [id("a"), id("b")].map((packageId) => ({ name, sequence, packageId }))),
  );
  const committed = [
    { name: "asset", sequence: 20 },
    { name: "token", sequence: 20 },
  ];
  const channels: readonly ChannelFacts[] = ["ch2", "ch1"].map((channel) => ({ channel, committed, approved }));
  const references = ["ch2", "ch1"].flatMap((channel) =>
    ["token", "asset"].map((name) => ({ channel, name, version: "1" })),
  );
  const installed = [
    { packageId: id("c"), label: "c", references },
    { packageId: id("b"), label: "b", references: [] },
    { packageId: id("d"), label: "d", references: [] },
  ];
  /** With the order of the map, which others walk through. */
  const states = (packages: Parameters<typeof packageStates>[0], facts: readonly ChannelFacts[]) => [
    ...packageStates(packages, facts),
  ];

  test("is told by the same channel, name and sequence", () => {
    expect(states(installed, channels)).toContainEqual([
      id("a"),
      superseded("token on ch2 ran it at sequence 10, and is at 20"),
    ]);
    expect(states(installed, channels)).toContainEqual([id("c"), { state: "needed", because: "ch1 runs it as asset" }]);
    alike(channels, (some) => states(installed, some));
    alike(approved, (some) => states(installed, [{ channel: "ch1", committed, approved: some }]));
    alike(committed, (some) => states(installed, [{ channel: "ch1", committed: some, approved }]));
    alike(installed, (some) => states(some, channels));
    alike(references, (some) => states([{ packageId: id("c"), label: "c", references: some }], []));
  });
});

describe("what several peers say", () => {
  const facts = [
    known([id("a"), superseded("asset on ch2 ran it at sequence 1, and is at 2")]),
    known([id("a"), superseded("asset on ch1 ran it at sequence 4, and is at 5")]),
    known(),
  ];
  const some = [...facts, silent("peer1 cannot be asked"), silent("peer0 cannot be asked")];

  test.each([
    ["an orphan", facts],
    ["kept", some],
    [
      "needed",
      [
        ...some,
        known([id("a"), { state: "needed", because: "y" }]),
        known([id("a"), { state: "needed", because: "x" }]),
      ],
    ],
  ])("is one reason: %s", (verdict, said) => {
    const made = { packageId: id("a"), mspId: "Org1MSP", peerId: "peer0" };
    const server = { all: true, ours: true };
    expect(verdict).toContain(judgeMade(made, said, [], old, age).verdict);
    alike(said, (order) => judgeMade(made, order, [], old, age));
    alike(said, (order) => judgeServerBy(id("a"), order, server, old, age));
  });
});

describe("a Service", () => {
  const labels = { app: "asset" };
  const server = (name: string, verdict: Finding["verdict"]) => ({
    deployment: {
      metadata: { namespace: "org1", name },
      spec: { selector: {}, template: { metadata: { labels } } },
    },
    source: "service" as const,
    kind: "Deployment" as const,
    place: "namespace org1",
    name,
    verdict,
    because: "",
  });
  const service = { metadata: { namespace: "org1", name: "asset" }, spec: { selector: labels } };
  const peer = { network: undefined, organization: undefined };

  test("is judged by the same Deployment, and the same doubt", () => {
    const dialled = { packages: new Map<string, string>(), unreadable: [] };
    const orphans = ["b", "a", "c"].map((name) => server(name, "orphan"));
    expect(judgeService(service, orphans, dialled, undefined).finding.because).toContain(
      "Deployment a, b, c, an orphan",
    );
    alike(orphans, (some) => judgeService(service, some, dialled, undefined));
    alike([...orphans, server("e", "kept"), server("d", "kept")], (some) =>
      judgeService(service, some, dialled, undefined),
    );
    const doubts = ["y", "x", "z"].map((because) => ({ ...peer, because }));
    alike(doubts, (unreadable) => judgeService(service, orphans, { ...dialled, unreadable }, undefined));
  });
});

describe("a table of a daemon that several peers of one name use", () => {
  const owner = { networkId: "fabric", peerId: "peer0" };
  const users: readonly DaemonUser[] = [
    { name: "ns2/peer", owner, facts: silent("ns2/peer cannot be asked") },
    { name: "ns1/peer", owner, facts: silent("ns1/peer cannot be asked") },
    { name: "ns3/peer", owner, facts: known([id("a"), superseded("asset is at 2")]) },
  ];
  const names = ["c", "a", "b"].map((label) => `${imageNameOf(owner, id(label))}:latest`);
  const image = (Id: string, RepoTags: readonly string[]): DiskUsage["images"][number] => ({
    Id,
    RepoTags,
    Labels: null,
    Size: 5,
    SharedSize: 1,
    Created: 0,
  });
  const container = (Id: string, label: string): DiskUsage["containers"][number] => ({
    Id,
    Names: [`/${containerNameOf(owner, id(label))}`],
    Image: "",
    ImageID: "",
    State: "exited",
    Status: "",
    Created: 0,
    Labels: {},
    Command: "",
  });
  const images = [image("sha256:2", names), image("sha256:1", []), image("sha256:3", [])];
  const containers = ["b", "a"].map((label) => container(`id-${label}`, label));
  const blind = ["b", "a"].map((place) => ({ place, code: "connection" as const, because: "no answer" }));
  const uncommitted = ["y", "x"].map((label) => ({ peer: "ns1/peer", packageId: id(label) }));

  interface Told {
    readonly by?: readonly DaemonUser[];
    readonly usage?: Partial<DiskUsage>;
    readonly dark?: typeof blind;
    readonly open?: typeof uncommitted;
  }
  const told = ({ by = users, usage = {}, dark = blind, open = uncommitted }: Told): string => {
    const all = { images, containers, buildCache: [], ...usage };
    const arrivals = new Map([["sha256:1", old]]);
    const contents = { source: "dind", place: "org1/peer0-0", usage: all, users: by, own: true, arrivals } as const;
    return cleanupTable(
      ordered({ findings: judgeDaemon(contents, age), uncommitted: open, blind: dark }),
      true,
      undefined,
    );
  };

  test("is the same text", () => {
    expect(told({})).toContain("ns1/peer cannot be asked");
    alike(users, (by) => told({ by }));
    alike(images, (some) => told({ usage: { images: some } }));
    alike(names, (some) => told({ usage: { images: [image("sha256:2", some)] } }));
    alike(containers, (some) => told({ usage: { containers: some } }));
    alike(blind, (dark) => told({ dark: [...dark] }));
    alike(uncommitted, (open) => told({ open: [...open] }));
  });
});

describe("a peer that cannot be asked", () => {
  test("fails by the first question, whichever answer came first", async () => {
    const late = Promise.withResolvers<string>();
    const asked = allInOrder([late.promise, Promise.reject(new Error("second"))]);
    late.reject(new Error("first"));
    await expect(asked).rejects.toThrow("first");
    expect(await allInOrder([Promise.resolve(1), Promise.resolve("b")])).toEqual([1, "b"]);
  });

  test.each([
    [
      "channels of peer0.org1: Deadline exceeded after 20.003s,LB pick: 0.001s,remote_addr=127.0.0.1:40123",
      "channels of peer0.org1: Deadline exceeded",
    ],
    [
      "channels of peer0.org1: No connection established. Last error: connect ECONNREFUSED 127.0.0.1:40123 (2026-06-01T00:00:00.123Z)",
      "channels of peer0.org1: No connection established. Last error: connect ECONNREFUSED 127.0.0.1",
    ],
    ["access denied", "access denied"],
  ])("is told without times and ports: %s", (said, expected) => {
    expect(steady(said)).toBe(expected);
  });
});
