import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newRoot } from "../../../runner/containers/container-root.ts";
import { newSpareRoots, type SpareRoots } from "../../../runner/containers/spare-roots.ts";
import type { Image } from "../../../runner/images/image-store.ts";
import { parseToolchain } from "../../../runner/toolchain.ts";
import { newLog } from "../../../core/process/log.ts";
import { tarOf } from "./archive.ts";

const limits = { bytes: 1_000_000, entries: 1000 };
const toolchain = parseToolchain("node", '{"images":["fabric-nodeenv"]}', "/no/such/directory");

/** A busy machine takes its time; what is there for a moment is not to be missed. */
const patience = { timeout: 20_000, interval: 1 };

describe("what is prepared for the next start", () => {
  let directory: string;
  let images: Map<string, Image>;
  let quota: number;
  /** How often there was a look at the quota, and for which images one at the store. */
  let asked: number;
  let sought: string[];
  let spares: SpareRoots;
  let said: string;

  const image = async (id: string, content = "code"): Promise<Image> => {
    const layer = await tarOf({ name: "usr/local/src/index.js", content });
    await writeFile(join(directory, `layer-${id}`), layer);
    const config = {
      architecture: "amd64",
      created: "",
      os: "linux",
      config: { Env: [], Cmd: [], Labels: {} },
      rootfs: { type: "layers" as const, diff_ids: [] },
    };
    const made: Image = { id, names: [id], config, size: layer.length, named: new Date(0) };
    images.set(id, made);
    return made;
  };
  const names = async () => (await readdir(directory)).filter((name) => name.startsWith("spare-"));
  const ready = async () => {
    await expect.poll(() => spares.used(), patience).toBeGreaterThan(0);
  };
  const settled = async () => {
    await expect.poll(names, patience).toEqual([]);
    expect(spares.used()).toBe(0);
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spares-"));
    [images, quota, said, asked, sought] = [new Map(), 10_000_000, "", 0, []];
    spares = newSpareRoots({
      directory,
      store: {
        find: (id) => (sought.push(id), images.get(id)),
        layerFiles: ({ id }) => [join(directory, `layer-${id}`)],
      },
      limits,
      quota: () => (asked++, quota),
      delay: 0,
      log: newLog(
        (line) => void (said += line),
        () => new Date(0),
      ),
    });
  });

  afterEach(async () => {
    await spares.close();
    await rm(directory, { recursive: true });
  });

  test("is whole, and given once", async () => {
    const a = await image("a");
    const [first, second] = [newRoot(directory, "container"), newRoot(directory, "container")];
    expect(await spares.take(a, first)).toBe(false);
    spares.want(a, toolchain);
    spares.want(a, toolchain);
    await ready();
    expect(await names()).toHaveLength(1);
    expect(await Promise.all([spares.take(a, first), spares.take(a, second)])).toEqual([true, false]);
    expect(await readFile(join(first, "usr/local/src/index.js"), "utf8")).toBe("code");
    expect((await stat(join(first, "chaincode/input"))).isDirectory()).toBe(true);
    await settled();
  });

  test("is of its own image only", async () => {
    const [a, b] = [await image("a", "of a"), await image("b", "of b")];
    spares.want(a, toolchain);
    await ready();
    expect(await spares.take(b, newRoot(directory, "container"))).toBe(false);
  });

  test("is waited for while it is made", async () => {
    const a = await image("a");
    spares.want(a, toolchain);
    await expect.poll(names, patience).toHaveLength(1);
    expect(await spares.take(a, newRoot(directory, "container"))).toBe(true);
  });

  test("is not made of an image that is gone, nor beyond the quota", async () => {
    const a = await image("a", "x".repeat(50_000));
    images.delete("a");
    spares.want(a, toolchain);
    await expect.poll(() => sought, patience).toEqual(["a"]);
    const b = await image("b", "x".repeat(50_000));
    quota = 40_000;
    spares.want(b, toolchain);
    await expect.poll(() => asked, patience).toBe(1);
    // The archive would fit, what is on disk does not: each entry takes a block.
    const c = await image("c");
    quota = c.size + 10_000;
    spares.want(c, toolchain);
    await expect.poll(() => asked, patience).toBe(3);
    await settled();
    expect([asked, sought, said]).toEqual([3, ["a", "b", "c", "c"], ""]);
  });

  test("goes when its image goes, and when the images need the room", async () => {
    for (const id of ["a", "b"]) {
      spares.want(await image(id), toolchain);
      await expect.poll(async () => (await names()).length, patience).toBeGreaterThan(0);
    }
    await expect.poll(async () => spares.used() > 0 && (await names()).length, patience).toBe(2);
    images.delete("a");
    spares.trim();
    await expect.poll(async () => (await names()).length, patience).toBe(1);
    quota = 1;
    spares.trim();
    await settled();
  });

  test("that cannot be made is logged, and leaves nothing", async () => {
    const a = await image("a");
    await rm(join(directory, "layer-a"));
    spares.want(a, toolchain);
    await expect.poll(() => said, patience).toContain("cannot prepare the next start");
    await settled();
    // Nor does it keep others, or the same, from being made.
    await image("a");
    await expect
      .poll(async () => {
        spares.want(a, toolchain);
        return spares.used();
      }, patience)
      .toBeGreaterThan(0);
  });

  test("is gone after the end, in whatever state it was", async () => {
    const a = await image("a", "x".repeat(500_000));
    spares.want(a, toolchain);
    await expect.poll(names, patience).toHaveLength(1);
    await spares.close();
    expect([await names(), spares.used(), said]).toEqual([[], 0, ""]);
    spares.want(a, toolchain);
    await spares.close();
    expect(await names()).toEqual([]);
  });
});
