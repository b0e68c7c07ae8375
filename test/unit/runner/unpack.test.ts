import { mkdtemp, mkdir, readFile, readdir, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { unpack } from "../../../runner/archive/unpack.ts";
import { streamOf, tarOf, type TestEntry } from "./archive.ts";

const limits = { bytes: 1_000_000, entries: 100 };

describe("an archive", () => {
  let outside: string;
  let root: string;

  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), "unpack-"));
    root = join(outside, "root");
    await mkdir(root);
  });

  afterEach(() => rm(outside, { recursive: true }));

  const put = async (target: string, ...entries: readonly TestEntry[]) =>
    unpack(streamOf(await tarOf(...entries)), root, target, limits);

  test("is unpacked below the directory, gzipped or not", async () => {
    const bytes = await tarOf({ name: "src/a.js", content: "a" }, { name: "src/run", mode: 0o4777, content: "b" });
    await unpack(streamOf(bytes), root, "/chaincode/input", limits);
    await unpack(streamOf(gzipSync(bytes)), root, "/again", limits);
    expect(await readFile(join(root, "chaincode/input/src/a.js"), "utf8")).toBe("a");
    expect(await readFile(join(root, "again/src/a.js"), "utf8")).toBe("a");
    // Executable, but not setuid nor for everyone to write.
    expect((await stat(join(root, "again/src/run"))).mode & 0o7777).toBe(0o755);
  });

  test("may name its files from the root on, as peers do: that is the container's root", async () => {
    await put("/", { name: "/etc/hyperledger/fabric/client.key", content: "key" });
    expect(await readFile(join(root, "etc/hyperledger/fabric/client.key"), "utf8")).toBe("key");
  });

  test("may have links that stay within", async () => {
    await put("/", { name: "a/b/target", content: "t" }, { name: "a/link", type: "symlink", linkname: "./b/target" });
    expect(await readFile(join(root, "a/link"), "utf8")).toBe("t");
  });

  const hostile: readonly (readonly [string, readonly TestEntry[]])[] = [
    ["leads out by ..", [{ name: "../evil", content: "x" }]],
    ["leads out by .. in the middle", [{ name: "a/../../evil", content: "x" }]],
    ["has an absolute link", [{ name: "a", type: "symlink", linkname: "/etc/passwd" }]],
    ["has a link that leads up behind a name", [{ name: "a/b", type: "symlink", linkname: "c/../d" }]],
    ["has a link that leads out", [{ name: "a/b", type: "symlink", linkname: "../../evil" }]],
    [
      "has a hard link",
      [
        { name: "a", content: "x" },
        { name: "b", type: "link", linkname: "a" },
      ],
    ],
    ["has a hard link to a file of the system", [{ name: "b", type: "link", linkname: "/etc/passwd" }]],
    ["has a device", [{ name: "sda", type: "block-device", devmajor: 8, devminor: 0 }]],
    ["has a terminal", [{ name: "tty", type: "character-device", devmajor: 5, devminor: 0 }]],
    ["has a FIFO", [{ name: "pipe", type: "fifo" }]],
    [
      "writes through a link of its own",
      [
        { name: "a/b", content: "" },
        { name: "link", type: "symlink", linkname: "a" },
        { name: "link/evil", content: "x" },
      ],
    ],
    [
      "puts a file where it had a directory",
      [
        { name: "a/b", content: "x" },
        { name: "a", content: "y" },
      ],
    ],
    ["has too many entries", Array.from({ length: 101 }, (_, index) => ({ name: `f${index}`, content: "" }))],
    ["has too many bytes", [{ name: "big", content: "x".repeat(1_000_001) }]],
    ["has names that no file can have", [{ name: "x".repeat(256), content: "" }]],
    ["is too deep", [{ name: "d/".repeat(101) + "f", content: "" }]],
  ];

  test.each(hostile)("that %s is refused, and nothing is written outside", async (_, entries) => {
    await expect(put("/", ...entries)).rejects.toMatchObject({ status: 400, message: /^archive refused: expected / });
    expect(await readdir(outside)).toEqual(["root"]);
  });

  test("never follows a link that was there before", async () => {
    await symlink(outside, join(root, "etc"));
    await expect(put("/", { name: "etc/evil", content: "x" })).rejects.toMatchObject({ status: 400 });
    await expect(put("/etc", { name: "evil", content: "x" })).rejects.toMatchObject({ status: 400 });
    expect(await readdir(outside)).toEqual(["root"]);
  });

  test("that becomes huge is refused before it is there", async () => {
    const bomb = gzipSync(await tarOf({ name: "bomb", content: "0".repeat(20_000_000) }));
    expect(bomb.length).toBeLessThan(30_000);
    await expect(unpack(streamOf(bomb), root, "/", limits)).rejects.toMatchObject({ status: 400 });
    expect(await readdir(root)).toEqual([]);
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["something else", Buffer.from("x".repeat(2000))],
    ["a broken gzip", Buffer.from([0x1f, 0x8b, 1, 2, 3])],
    ["half an archive", Buffer.alloc(300)],
  ])("is expected where there is %s", async (_, bytes) => {
    await expect(unpack(streamOf(bytes), root, "/", limits)).rejects.toMatchObject({ status: 400 });
  });
});
