import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nodeLayer } from "../../../core/chaincode/seed/node-image.ts";
import { commandFailed } from "../../../core/docker/daemon.ts";
import type { Engine, EngineRequest } from "../../../core/docker/engine.ts";
import type { Image as PluginImage } from "../../../core/docker/images.ts";
import { newLayerStore } from "../../../core/docker/layer-store.ts";
import { readSavedImage } from "../../../core/docker/saved-image.ts";
import { buildImage } from "../../../runner/images/build.ts";
import { openImageStore, type ImageStore } from "../../../runner/images/image-store.ts";
import { loadImages, saveImages } from "../../../runner/images/transfer.ts";
import { streamOf, tarOf } from "./archive.ts";

const limits = { bytes: 1_000_000, entries: 1000 };
const dockerfile = `FROM hyperledger/fabric-nodeenv:2.5
ADD binpackage.tar /usr/local/src
LABEL org.hyperledger.fabric.chaincode.type="NODE" \\
      org.hyperledger.fabric.version="3.1.5"
ENV CORE_CHAINCODE_BUILDLEVEL=3.1.5`;

describe("images", () => {
  let directory: string;
  let store: ImageStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "images-"));
    store = await open();
  });

  afterEach(() => rm(directory, { recursive: true }));

  const open = (quota = 10_000_000) => openImageStore(directory, { limits, quota: () => quota });
  const build = async (content: string, name: string, { text = dockerfile, into = store } = {}) => {
    const binpackage = await tarOf({ name: "./index.js", content });
    const context = await tarOf(
      { name: "binpackage.tar", content: binpackage.toString("latin1") },
      { name: "Dockerfile", content: text },
    );
    return buildImage(streamOf(context), [name], {
      store: into,
      limits,
      architecture: "amd64",
      now: () => new Date(0),
      checkBase: () => {},
    });
  };

  test("are built from a peer's Dockerfile, by whatever name they are asked for", async () => {
    const { id } = await build("code", "dev-peer0-a");
    expect(store.find("dev-peer0-a")).toMatchObject({
      id,
      names: ["dev-peer0-a:latest"],
      config: {
        config: {
          Env: ["CORE_CHAINCODE_BUILDLEVEL=3.1.5"],
          Labels: { "org.hyperledger.fabric.chaincode.type": "NODE", "org.hyperledger.fabric.version": "3.1.5" },
        },
      },
    });
    for (const reference of [`sha256:${id}`, id.slice(0, 12), "docker.io/library/dev-peer0-a:latest"]) {
      expect(store.find(reference)?.id).toBe(id);
    }
    expect(store.find("dev-peer0-b")).toBeUndefined();
  });

  test("of the same chaincode share their layer", async () => {
    await build("code", "dev-peer0-a");
    const used = store.used();
    await build("code", "dev-peer1-a");
    expect(store.used()).toBe(used);
  });

  test("are there again after the next start, byte for byte", async () => {
    const before = await build("code", "dev-peer0-a");
    const again = await open();
    expect(again.list()).toEqual([before]);
  });

  test("that a newer one takes the name of are gone with their layers", async () => {
    await build("one", "dev-peer0-a");
    const { id } = await build("two", "dev-peer0-a");
    expect(store.list().map((image) => image.id)).toEqual([id]);
    expect(await readdir(join(directory, "layers"))).toHaveLength(1);
  });

  test("go with their last name", async () => {
    const image = await build("code", "dev-peer0-a");
    await store.tag(image, "dev-peer1-a");
    expect(await store.remove("dev-peer0-a")).toEqual({ untagged: ["dev-peer0-a:latest"] });
    expect(await store.remove("dev-peer1-a")).toEqual({ untagged: ["dev-peer1-a:latest"], deleted: image.id });
    expect(await readdir(join(directory, "layers"))).toEqual([]);
    await expect(store.remove("dev-peer1-a")).rejects.toMatchObject({ status: 404 });
  });

  test("that a kill has left half-made are cleared away, whole ones stay", async () => {
    const whole = await build("code", "dev-peer0-a");
    await writeFile(join(directory, "work/half"), "half a layer");
    await writeFile(join(directory, "layers", `${"0".repeat(64)}.tar`), "a layer of no image");
    const orphan = { rootfs: { diff_ids: [`sha256:${"1".repeat(64)}`] } };
    await writeFile(join(directory, "images", `${"2".repeat(64)}.json`), JSON.stringify(orphan));
    await writeFile(join(directory, "images", `${"3".repeat(64)}.json`), "{not JSON");
    const again = await open();
    expect(again.list()).toEqual([whole]);
    expect(await readdir(join(directory, "work"))).toEqual([]);
    expect(await readdir(join(directory, "layers"))).toHaveLength(1);
    expect(await readdir(join(directory, "images"))).toHaveLength(1);
  });

  test("without their layer are not there", async () => {
    await build("code", "dev-peer0-a");
    const [layer = ""] = await readdir(join(directory, "layers"));
    await rm(join(directory, "layers", layer));
    expect((await open()).find("dev-peer0-a")).toBeUndefined();
  });

  test("do not fill the disk", async () => {
    const small = await open(3000);
    await expect(build("x".repeat(5000), "dev-peer0-a", { into: small })).rejects.toMatchObject({ status: 400 });
    await build("x", "dev-peer0-b", { into: small });
    await build("y", "dev-peer0-c", { into: await open(3000) }).catch(() => undefined);
    expect((await open()).used()).toBeLessThanOrEqual(4096);
    expect(await readdir(join(directory, "work"))).toEqual([]);
  });

  test("do not fill the disk together, when they are built at the same time", async () => {
    const small = await open(3000);
    const built = ["x", "y"].map((content) => build(content, `dev-peer0-${content}`, { into: small }));
    const outcomes = await Promise.allSettled(built);
    expect(outcomes.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []))).toEqual([
      expect.objectContaining({ status: 507 }),
    ]);
    expect(small.used()).toBeLessThanOrEqual(3000);
    expect(await readdir(join(directory, "work"))).toEqual([]);
  });

  test.each([
    ["RUN", "FROM a\nRUN rm -rf /"],
    ["COPY", "FROM a\nCOPY x /"],
    ["ADD from the network", "FROM a\nADD http://example.com/x /usr/local/src"],
    ["no FROM", "ADD binpackage.tar /usr/local/src"],
    ["two FROM", "FROM a\nFROM b"],
    ["ADD of what is not there", "FROM a\nADD other.tar /usr/local/src"],
    ["nothing added", "FROM a"],
  ])("are not built with %s", async (_, text) => {
    await expect(build("code", "dev-peer0-a", { text })).rejects.toMatchObject({ status: 400 });
    expect(store.list()).toEqual([]);
    expect(await readdir(join(directory, "work"))).toEqual([]);
  });

  test("are saved and loaded elsewhere under the same ID", async () => {
    const image = await build("code", "dev-peer0-a");
    const other = await openImageStore(join(directory, "other"), { limits, quota: () => 10_000_000 });
    const settings = { store: other, limits, isToolchain: () => false };
    expect(await loadImages(saveImages([image], store), settings)).toEqual({
      names: ["dev-peer0-a:latest"],
      builtIn: [],
    });
    expect(other.list()).toEqual([{ ...image, named: expect.any(Date) as Date }]);
  });

  test("tell when they came or got a name last, whatever they say of themselves, also after a restart", async () => {
    const began = Date.now() - 1000; // a file system may round down
    const { id, config } = await build("code", "dev-peer0-a");
    expect(config.created).toMatch(/^1970/);
    expect(store.find(id)?.named.getTime()).toBeGreaterThan(began);
    const past = new Date("2020-01-01T00:00:00Z");
    await utimes(join(directory, "images", `${id}.json`), past, past);
    const again = await open();
    const old = again.find(id);
    expect(old?.named).toEqual(past);
    if (old) await again.tag(old, "dev-peer1-a");
    expect(again.find(id)?.named.getTime()).toBeGreaterThan(began);
    expect((await open()).find(id)?.named.getTime()).toBeGreaterThan(began);
  });

  test("are read by the plugin, as those of a Docker of the version that the runner names", async () => {
    const image = await build("code", "dev-peer0-a");
    const { diff_ids } = image.config.rootfs;
    const stream = async ({ path }: EngineRequest) =>
      path === "/version" ? Readable.from(['{"ApiVersion":"1.51"}']) : saveImages([image], store);
    const engine = {
      stream,
      call: async (request: EngineRequest) => JSON.parse(await text(await stream(request))) as unknown,
    } as unknown as Engine;
    const run = () => Promise.reject(commandFailed(["sh"], 127, ""));
    const layers = newLayerStore();
    const about = { Id: `sha256:${image.id}`, RootFS: { Type: "layers", Layers: diff_ids } } as unknown as PluginImage;
    try {
      const content = await readSavedImage({ engine, run }, about, diff_ids, layers);
      expect(content).toMatchObject({ id: about.Id, layers: diff_ids });
      expect(layers.kept(diff_ids[0] ?? "")).toBeDefined();
    } finally {
      await layers.close();
    }
  });

  test("of a Docker lose all but the chaincode, and toolchains are left aside", async () => {
    const layer = await tarOf(
      { name: "bin/sh", content: "a system's program" },
      { name: "../evil", content: "never looked at" },
      { name: "usr/local/src/index.js", content: "code" },
    );
    const config = {
      config: { Labels: { "org.hyperledger.fabric.chaincode.type": "NODE" } },
      rootfs: { diff_ids: [] },
    };
    const manifest = [
      { Config: "c.json", RepoTags: ["dev-peer0-a:latest"], Layers: ["missing/layer.tar", "l/layer.tar"] },
      { Config: "d.json", RepoTags: ["hyperledger/fabric-nodeenv:2.5"], Layers: [] },
    ];
    const archive = await tarOf(
      { name: "l/layer.tar", content: layer.toString("latin1") },
      { name: "c.json", content: JSON.stringify(config) },
      { name: "manifest.json", content: JSON.stringify(manifest) },
    );
    const isToolchain = (name: string) => name.includes("nodeenv");
    expect(await loadImages(streamOf(archive), { store, limits, isToolchain })).toEqual({
      names: ["dev-peer0-a:latest"],
      builtIn: ["hyperledger/fabric-nodeenv:2.5"],
    });
    expect(store.find("dev-peer0-a")?.config.config.Labels).toEqual({
      "org.hyperledger.fabric.chaincode.type": "NODE",
    });
    expect(store.used()).toBeLessThan(3000);
  });

  describe("that the plugin composes", () => {
    const load = async (layer: Buffer, sent = layer) => {
      const digest = `sha256:${createHash("sha256").update(layer).digest("hex")}`;
      const config = { architecture: "amd64", os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [digest] } };
      const manifest = [{ Config: "c.json", RepoTags: ["dev-peer0-a:latest"], Layers: ["l/layer.tar"] }];
      const archive = await tarOf(
        { name: "l/layer.tar", content: sent },
        { name: "c.json", content: JSON.stringify(config) },
        { name: "manifest.json", content: JSON.stringify(manifest) },
      );
      await loadImages(streamOf(archive), { store, limits, isToolchain: () => false });
      const image = store.find("dev-peer0-a");
      const [file = ""] = image === undefined ? [] : store.layerFiles(image);
      return { digest, layers: image?.config.rootfs.diff_ids, kept: await readFile(file) };
    };

    test("keep their layer byte for byte, for the plugin knows it by its digest", async () => {
      const packageJson = JSON.stringify({ dependencies: { a: "1.0.0" } });
      const command = JSON.stringify({ name: "a", version: "1.0.0", bin: "run.js" });
      const files = Object.entries({
        "src/package.json": packageJson,
        "src/node_modules/a/package.json": command,
        "src/node_modules/a/run.js": "#!/usr/bin/env node",
      }).map(([name, content]) => ({ name, content: Buffer.from(content) }));
      const layer = await buffer(nodeLayer(files));
      const { digest, layers, kept } = await load(layer);
      expect(layers).toEqual([digest]);
      expect(kept.equals(layer)).toBe(true);
      // The plugin sends it gzipped.
      await store.remove("dev-peer0-a");
      const again = await load(layer, gzipSync(layer));
      expect(again.layers).toEqual([digest]);
      expect(again.kept.equals(layer)).toBe(true);
    });

    test("lose what is no chaincode, and with it their digest", async () => {
      const layer = await tarOf(
        { name: "usr/local/src/index.js", content: "code" },
        { name: "usr/bin/sh", content: "x" },
      );
      const { digest, layers, kept } = await load(layer);
      expect(layers).not.toEqual([digest]);
      expect(kept.includes("usr/bin/sh")).toBe(false);
    });

    test.each([
      ["a link that leads out", { name: "usr/local/src/l", type: "symlink", linkname: "../../../../etc/passwd" }],
      ["a hard link", { name: "usr/local/src/l", type: "link", linkname: "/etc/passwd" }],
      ["a name that leads out", { name: "usr/local/src/../../../evil", content: "x" }],
    ] as const)("are refused with %s", async (_, entry) => {
      await expect(load(await tarOf({ name: "usr/local/src/index.js", content: "code" }, entry))).rejects.toThrow(
        /archive refused/,
      );
      expect(store.list()).toEqual([]);
    });
  });
});
