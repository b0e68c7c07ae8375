import { describe, expect, test } from "vitest";
import type { DiskUsage } from "../../../../../core/docker/disk-usage.ts";
import { containerNameOf, imageNameOf } from "../../../../../core/fabric/chaincode/chaincode-container.ts";
import { judgeDaemon, type DaemonUser } from "../../../../../core/orphans/places/daemon-contents.ts";
import type { PackageState } from "../../../../../core/orphans/judgement/package-state.ts";

const hash = (digit: string) => digit.repeat(64);
const running = `Asset_2:${hash("2")}`;
const old = `Asset_1:${hash("1")}`;
const fresh = `Asset_3:${hash("3")}`;
const absent = `asset_0:${hash("0")}`;
const owner = { networkId: "fabric", peerId: "peer0.org1" };
const states: readonly [string, PackageState][] = [
  [running, { state: "needed", because: "mychannel runs it as asset" }],
  [old, { state: "superseded", because: "asset is at 2" }],
  [fresh, { state: "uncommitted" }],
];
const user: DaemonUser = { name: "peer0.org1", owner, facts: { known: true, packages: new Map(states) } };
const now = new Date("2026-06-01T00:00:00Z");
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
const created = ago(3600).getTime() / 1000;

type Container = DiskUsage["containers"][number];
type Image = DiskUsage["images"][number];

const container = (name: string, changes: Partial<Container> = {}): Container => ({
  Id: `id-${name}`,
  Names: [`/${name}`],
  Image: "",
  ImageID: "sha256:x",
  State: "running",
  Status: "",
  Created: created,
  Labels: {},
  Command: "/bin/sh -c 'npm start'",
  ...changes,
});
const image = (tag: string | undefined, changes: Partial<Image> = {}): Image => ({
  Id: `sha256:${tag}`,
  RepoTags: tag === undefined ? [] : [tag],
  Labels: null,
  Size: 200,
  SharedSize: 180,
  Created: 0,
  ...changes,
});
interface Judging {
  readonly users?: readonly DaemonUser[];
  readonly own?: boolean;
  readonly olderThan?: number;
  /** Seconds ago; undefined: not known. */
  readonly arrived?: number | undefined;
}
const judge = (usage: Partial<DiskUsage>, judging: Judging = {}) => {
  const { users = [user], own = true, olderThan, arrived } = { arrived: 3600, ...judging };
  const came = arrived === undefined ? [] : (usage.images ?? []).map(({ Id }) => [Id, ago(arrived)] as const);
  return judgeDaemon(
    {
      source: own ? "dind" : "host-docker",
      place: "org1/peer0-0",
      usage: { images: [], containers: [], buildCache: [], ...usage },
      users,
      own,
      arrivals: new Map(came),
    },
    { now, olderThan },
  );
};

describe("containers of a peer's daemon", () => {
  test.each([
    ["of the running package", containerNameOf(owner, running), {}, "needed"],
    [
      "of the running package, ended: the next call starts it",
      containerNameOf(owner, running),
      { State: "exited" },
      "needed",
    ],
    ["of a superseded package", containerNameOf(owner, old), {}, "orphan"],
    ["of a superseded package, ended", containerNameOf(owner, old), { State: "exited" }, "orphan"],
    ["of a package on its way", containerNameOf(owner, fresh), {}, "kept"],
    ["of a package that the peer has not", containerNameOf(owner, absent), {}, "orphan"],
    ["the same, just made", containerNameOf(owner, absent), { Created: now.getTime() / 1000 }, "kept"],
    ["of a peer that nobody knows", `fabric-peer9.org9-x-${hash("9")}`, {}, "kept"],
    [
      "of a build, passed through",
      "vibrant_hopper",
      { State: "created", Command: "/bin/sh -c '#(nop) LABEL a=b'" },
      "orphan",
    ],
    [
      "of a build, under way",
      "vibrant_hopper",
      { Command: "/bin/sh -c 'cp -R /chaincode/input/src/. /chaincode/output'" },
      "kept",
    ],
    [
      "of a build, over",
      "vibrant_hopper",
      { State: "exited", Command: "/bin/sh -c 'cp -R /chaincode/input/src/. /chaincode/output'" },
      "orphan",
    ],
    ["of a Java build, over", "a_b", { State: "dead", Command: "/bin/sh -c ./build.sh" }, "orphan"],
  ] as const)("%s", (_, name, changes, verdict) => {
    expect(judge({ containers: [container(name, changes as Partial<Container>)] })).toMatchObject([{ name, verdict }]);
  });

  test("what somebody else runs is not spoken of", () => {
    expect(judge({ containers: [container("registry")] })).toEqual([]);
  });

  test("nothing of a build is spoken of in a daemon that others use", () => {
    const left = container("vibrant_hopper", { State: "created", Command: "/bin/sh -c '#(nop) LABEL a=b'" });
    expect(judge({ containers: [left] }, { own: false })).toEqual([]);
  });
});

describe("images of a peer's daemon", () => {
  const name = (id: string) => `${imageNameOf(owner, id)}:latest`;

  test.each([
    ["of the running package", image(name(running)), "needed"],
    ["of a superseded package", image(name(old)), "orphan"],
    ["of a package on its way", image(name(fresh)), "kept"],
    ["of a package that the peer has not", image(name(absent)), "orphan"],
    ["of a peer that nobody knows", image(`other-${hash("8")}-${hash("9")}:latest`), "kept"],
    ["without a name", image(undefined), "orphan"],
  ] as const)("%s", (_, found, verdict) => {
    expect(judge({ images: [found] })).toMatchObject([{ kind: "image", verdict }]);
  });

  // What the image itself says is the age of what it was made from: here 1970.
  test.each([
    ["superseded, came just now", image(name(old)), 0, undefined, "orphan"],
    ["superseded, came an hour ago, a day asked for", image(name(old)), 3600, 86_400, "kept"],
    ["superseded, came two days ago, a day asked for", image(name(old)), 172_800, 86_400, "orphan"],
    ["superseded, nobody knows when it came, a day asked for", image(name(old)), undefined, 86_400, "kept"],
    ["superseded, nobody knows when it came", image(name(old)), undefined, undefined, "orphan"],
    ["not on the peer, came just now", image(name(absent)), 0, undefined, "kept"],
    ["not on the peer, nobody knows when it came", image(name(absent)), undefined, undefined, "kept"],
    ["not on the peer, nobody knows when it came, any age", image(name(absent)), undefined, 0, "orphan"],
    ["without a name, came just now", image(undefined), 0, undefined, "kept"],
  ] as const)("%s", (_, found, arrived, olderThan, verdict) => {
    const judging = olderThan === undefined ? { arrived } : { arrived, olderThan };
    const since = arrived === undefined ? undefined : ago(arrived);
    expect(judge({ images: [found] }, judging)).toMatchObject([{ verdict, since }]);
  });

  test("free what they share with none", () => {
    expect(judge({ images: [image(name(old))] })).toMatchObject([{ bytes: 20 }]);
    expect(judge({ images: [image(name(old), { RepoTags: [name(old), "mine:1"] })] })).toMatchObject([{ bytes: 0 }]);
  });

  test("that others built with stay", () => {
    expect(judge({ images: [image("hyperledger/fabric-nodeenv:2.5")] })).toEqual([]);
  });

  test("under a container that stays are needed; under one that goes they are not", () => {
    const stays = container(containerNameOf(owner, running), { ImageID: "sha256:y" });
    const goes = container(containerNameOf(owner, old), { ImageID: "sha256:z" });
    const images = [image(undefined, { Id: "sha256:y" }), image(name(old), { Id: "sha256:z" })];
    const found = judge({ containers: [stays, goes], images }).filter(({ kind }) => kind === "image");
    expect(found.map(({ verdict }) => verdict)).toEqual(["needed", "orphan"]);
  });

  test.each([
    ["by another name, that goes", imageNameOf(owner, running), "orphan"],
    ["by this name, it stays", imageNameOf(owner, old), "needed"],
    ["by a name that a rebuilt image has now, it stays", "sha256:y", "needed"],
  ])("of two names: made %s", (_, made, verdict) => {
    const stays = container(containerNameOf(owner, running), { Image: made, ImageID: "sha256:y" });
    const names = [name(old), name(running)];
    const found = judge({ containers: [stays], images: [image(undefined, { Id: "sha256:y", RepoTags: names })] });
    expect(found.filter(({ kind }) => kind === "image")).toMatchObject([
      { name: name(old), verdict },
      { name: name(running), verdict: "needed" },
    ]);
  });
});

describe("the cache of builds", () => {
  const record = { ID: "a", Size: 5, InUse: false, CreatedAt: "2026-05-01T00:00:00Z", LastUsedAt: null };
  test("is an orphan when no build uses it", () => {
    expect(judge({ buildCache: [record, { ...record, ID: "b" }] })).toMatchObject([{ bytes: 10, verdict: "orphan" }]);
    expect(judge({ buildCache: [{ ...record, InUse: true }] })).toEqual([]);
    expect(judge({ buildCache: [record] }, { own: false })).toEqual([]);
  });
});

describe("peers", () => {
  const unknown: DaemonUser = { name: "x", owner, facts: { known: false, code: "connection", because: "no answer" } };
  const one = [container(containerNameOf(owner, old))];

  test("that cannot be asked keep what is theirs", () => {
    const images = [image(`${imageNameOf(owner, old)}:latest`)];
    for (const { verdict } of judge({ containers: one, images }, { users: [unknown] })) expect(verdict).toBe("kept");
  });

  test("of the same name must all agree", () => {
    expect(judge({ containers: one }, { users: [user, unknown] })).toMatchObject([{ verdict: "kept" }]);
    expect(judge({ containers: one }, { users: [unknown, user] })).toMatchObject([{ verdict: "kept" }]);
    const gone = { ...user, elsewhere: "it has a daemon of its own now" };
    const live = [container(containerNameOf(owner, running))];
    expect(judge({ containers: live }, { users: [gone] })).toMatchObject([{ verdict: "orphan" }]);
    expect(judge({ containers: live }, { users: [gone, user] })).toMatchObject([{ verdict: "needed" }]);
  });

  test("whose names begin alike are told apart", () => {
    const longer: DaemonUser = { ...unknown, owner: { networkId: "fabric", peerId: "peer0.org1-asset" } };
    // A label may have dashes: by its shape alone this may be package "asset-1" of one or "1" of the other.
    const doubtful = container(`fabric-peer0.org1-asset-1-${hash("7")}`);
    expect(judge({ containers: [doubtful] }, { users: [user, longer] })).toMatchObject([{ verdict: "kept" }]);
    expect(judge({ containers: one }, { users: [user, longer] })).toMatchObject([{ verdict: "orphan" }]);
  });
});
