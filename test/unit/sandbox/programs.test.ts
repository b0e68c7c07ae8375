import { mkdir, mkdtemp, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compareVersions, newestOfEachLine, releaseHomes, versionOf } from "../../sandbox/fabric-release.ts";
import { missingPackages } from "../../sandbox/packages.ts";
import { newLayout } from "../../sandbox/layout.ts";
import { buildPrograms, goArguments, goBuilds, isRecentGo, keyOfBuild, programsOf } from "../../sandbox/programs.ts";
import { silent } from "../../sandbox/progress.ts";
import { mountsBelow, networkResults } from "../../sandbox/teardown.ts";

const sources = (name: string) => join(import.meta.dirname, "../../sandbox", name);

describe("Go builds", () => {
  test("leave no path of the machine in the program", () => {
    for (const build of Object.values(goBuilds)) expect(goArguments(build, "/out/")).toContain("-trimpath");
  });

  test("say their Kubernetes version as the API server shall", () => {
    expect(goBuilds.node.ldflags).toContain("k8s.io/component-base/version.gitVersion=v1.36.3");
    expect(goBuilds.node.ldflags).toContain("gitMinor=36");
  });

  test("are told apart by sources and by flags", async () => {
    const pause = await keyOfBuild(goBuilds.pause, sources("pause"));
    expect(await keyOfBuild(goBuilds.pause, sources("pause"))).toBe(pause);
    expect(await keyOfBuild(goBuilds.pause, sources("coredns"))).not.toBe(pause);
    expect(await keyOfBuild({ ...goBuilds.pause, tags: "netgo" }, sources("pause"))).not.toBe(pause);
  });

  test("are linked once, however many ask for them at the same time", async () => {
    const home = await mkdtemp(join(tmpdir(), "programs-"));
    try {
      const layout = newLayout({ SANDBOX_CACHE: home });
      const programs = programsOf(goBuilds.containerd, layout);
      await mkdir(programs, { recursive: true });
      for (const name of ["containerd", "ctr"]) await writeFile(join(programs, name), "");
      const key = await keyOfBuild(goBuilds.containerd, sources("containerd"));
      await writeFile(`${programs}.stamp`, JSON.stringify({ key }));
      const asked = Array.from({ length: 16 }, () => buildPrograms("containerd", layout, silent));
      expect(new Set(await Promise.all(asked))).toEqual(new Set([key]));
      expect(await readlink(join(layout.bin, "ctr"))).toBe(join(programs, "ctr"));
      // As a cache of another place is.
      await rm(join(layout.bin, "ctr"));
      await buildPrograms("containerd", layout, silent);
      expect(await readlink(join(layout.bin, "ctr"))).toBe(join(programs, "ctr"));
    } finally {
      await rm(home, { recursive: true });
    }
  });

  test.each([
    ["go1.20.14", false],
    ["go1.21.0", true],
    ["go1.26.8", true],
    ["devel", false],
  ])("%s will do: %s", (version, expected) => expect(isRecentGo(version)).toBe(expected));
});

test("packages that are known but not installed are missing", () => {
  const dpkg = "runc\tinstalled\niptables\tconfig-files\nnftables\tinstalled\n";
  expect(missingPackages(["runc", "iptables", "mmdebstrap"], dpkg)).toEqual(["iptables", "mmdebstrap"]);
});

describe("Fabric releases", () => {
  test("are where FABRIC_HOME says, several if need be, else below the usual place", () => {
    expect(releaseHomes("/a:/b", ["3.1.5"])).toEqual(["/a", "/b"]);
    expect(releaseHomes(undefined, ["3.1.5"])).toEqual(["/opt/hyperledger-fabric/3.1.5"]);
    expect(releaseHomes("", ["3.1.5"])).toEqual([]);
  });

  test("tell their version", () => {
    expect(versionOf("peer:\n Version: v3.1.5\n Commit SHA: abc\n")).toBe("3.1.5");
    expect(versionOf("peer:\n Version: 2.5.12\n")).toBe("2.5.12");
    expect(versionOf("no peer")).toBeUndefined();
  });

  test("of one line give way to the newest, by number", () => {
    const release = (version: string) => ({ home: version, version, line: version.slice(0, 3), sampleMspFiles: [] });
    const newest = newestOfEachLine(["2.5.9", "3.1.5", "2.5.16"].map(release));
    expect(newest.map(({ version }) => version)).toEqual(["2.5.16", "3.1.5"]);
    expect(compareVersions("2.5.9", "2.5.16")).toBeLessThan(0);
  });
});

test("mounts are taken away from the inside out, and only ours", () => {
  const mounts = [
    "/dev/vda / ext4 rw 0 0",
    "tmpfs /run/ours/a tmpfs rw 0 0",
    "overlay /run/ours/a/b\\040c overlay rw 0 0",
    "tmpfs /run/ours-not tmpfs rw 0 0",
  ].join("\n");
  expect(mountsBelow(mounts, ["/run/ours"])).toEqual(["/run/ours/a/b c", "/run/ours/a"]);
});

test("of the network library's notes only those about our Pods go", () => {
  const ours = ["sandbox-abc1-eth0", "cni-loopback-abc1-lo"];
  expect(networkResults([...ours, "cni-loopback-def2-lo", "calico-def2-eth0"])).toEqual(ours);
});
