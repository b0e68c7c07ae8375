import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { gunzipSync, gzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { composeImage, emptyImage } from "../../../../core/docker/composed-image.ts";
import { commandFailed, type Daemon } from "../../../../core/docker/daemon.ts";
import type { Engine, EngineRequest } from "../../../../core/docker/engine.ts";
import { FabricError } from "../../../../core/error.ts";
import { sendImage } from "../../../../core/docker/image-sending.ts";
import type { Image } from "../../../../core/docker/images.ts";
import { newLayerStore, type LayerStore } from "../../../../core/docker/layer-store.ts";
import { commonLength, presentLayers } from "../../../../core/docker/present-layers.ts";
import { cutScript, readSavedImage } from "../../../../core/docker/saved-image.ts";

const digest = (content: Buffer): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;
const layers = ["base", "middle", "top"].map((name) => Buffer.from(name.repeat(100)));
const diffIds = layers.map(digest);
const [base = "", middle = "", top = ""] = diffIds;
const config = Buffer.from(JSON.stringify({ rootfs: { diff_ids: diffIds } }));
const image: Image = {
  Id: digest(config),
  RepoTags: null,
  Size: 1,
  Architecture: "amd64",
  Os: "linux",
  RootFS: { Type: "layers", Layers: diffIds },
};

async function tarOf(files: readonly (readonly [string, Buffer | string])[]): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of files) tar.entry({ name }, content);
  tar.finalize();
  return buffer(tar);
}

async function filesIn(tar: Buffer): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) found.set(entry.header.name, await buffer(entry));
  return found;
}

/** A daemon of some version that has this image; `cuts`: whether its container has a shell; `short`: of so many readings the end is lost. */
function daemonWith(
  apiVersion: string,
  { cuts, spoilt, short = 0 }: { readonly cuts: boolean; readonly spoilt?: boolean; readonly short?: number },
): Daemon & { readonly ran: string[][] } {
  const hex = (id: string) => id.replace("sha256:", "");
  const modern = Number(apiVersion.split(".")[1]) >= 44;
  const contents = layers.map((layer) => (spoilt ? Buffer.concat([layer, Buffer.of(0)]) : layer));
  const names = modern ? diffIds.map((id) => `blobs/sha256/${hex(id)}`) : ["x", "y", "z"].map((v) => `${v}/layer.tar`);
  const configName = modern ? `blobs/sha256/${hex(image.Id)}` : `${hex(image.Id)}.json`;
  const all: [string, Buffer | string][] = [
    ...contents.map((layer, index): [string, Buffer] => [names[index] ?? "", layer]),
    [configName, config],
    ["manifest.json", JSON.stringify([{ Config: configName, RepoTags: null, Layers: names }])],
  ];
  const ran: string[][] = [];
  const engine = fakeEngine(async ({ path }) => {
    if (path === "/version") return Buffer.from(JSON.stringify({ ApiVersion: apiVersion, Arch: "amd64" }));
    expect(path).toMatch(/^\/images\/get\?names=/);
    return tarOf(all);
  });
  const run = async (command: readonly string[]): Promise<Readable> => {
    if (!cuts) throw commandFailed(["sh"], 127, "not found");
    const wanted = command.slice(5);
    ran.push(wanted);
    const written = gzipSync(await tarOf(all.filter(([name]) => wanted.includes(name))));
    return Readable.from([ran.length > short ? written : written.subarray(0, written.length / 2)]);
  };
  return { engine, run, ran };
}

function fakeEngine(answer: (request: EngineRequest) => Promise<Buffer>): Engine {
  const stream = async (request: EngineRequest) => Readable.from([await answer(request)]) as never;
  return {
    target: { namespace: "", pod: "", container: "" },
    stream,
    call: async (request) => JSON.parse(await text(await stream(request))) as unknown,
    close: () => {},
  };
}

let store: LayerStore;
beforeEach(() => (store = newLayerStore()));
afterEach(() => store.close());

const kept = async (diffId: string): Promise<string | undefined> => {
  const layer = store.kept(diffId);
  return layer && gunzipSync(await buffer(layer.open())).toString();
};

describe("an image is read from a daemon", () => {
  test.each([
    ["1.51", true],
    ["1.51", false],
    ["1.41", true],
    ["1.41", false],
  ])("API %s, shell: %s: only the layers that are asked for", async (version, cuts) => {
    const daemon = daemonWith(version, { cuts });
    const content = await readSavedImage(daemon, image, [middle, top], store);
    expect(content).toEqual({ id: image.Id, config, layers: diffIds });
    expect(await kept(top)).toBe(layers[2]?.toString());
    expect(await kept(middle)).toBe(layers[1]?.toString());
    expect(await kept(base)).toBeUndefined();
    expect(daemon.ran.flat()).toHaveLength(cuts ? (version === "1.41" ? 4 : 3) : 0);
  });

  test.each(["1.51", "1.41"])("API %s: a reading whose end was lost is made again", async (version) => {
    const daemon = daemonWith(version, { cuts: true, short: 2 });
    expect(await readSavedImage(daemon, image, [middle, top], store)).toMatchObject({ config });
    expect(await kept(top)).toBe(layers[2]?.toString());
  });

  test("a reading whose end is always lost is a lost connection", async () => {
    const daemon = daemonWith("1.51", { cuts: true, short: Infinity });
    await expect(readSavedImage(daemon, image, [top], store)).rejects.toMatchObject({
      code: "connection",
      message: `what Docker saved of ${image.Id} came without its end`,
    });
    expect(daemon.ran).toHaveLength(3);
  });

  test.each([true, false])("a layer that is not what its digest says is refused (shell: %s)", async (cuts) => {
    const daemon = daemonWith("1.51", { cuts, spoilt: true });
    await expect(readSavedImage(daemon, image, [top], store)).rejects.toMatchObject({
      code: "invalid",
      message: expect.stringContaining(`expected the layer ${top}`) as string,
    });
    expect(await kept(top)).toBeUndefined();
  });

  test("one that is not in the archive is missed", async () => {
    const other = digest(Buffer.from("other"));
    await expect(readSavedImage(daemonWith("1.51", { cuts: true }), image, [other], store)).rejects.toMatchObject({
      code: "invalid",
    });
  });

  test("beside the daemon only where its docker can save, and something can be written", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cut-"));
    const archive = await tarOf([
      ["a", "wanted"],
      ["b", "not wanted"],
    ]);
    await writeFile(join(folder, "saved.tar"), archive);
    const cut = async (docker: string, TMPDIR: string) => {
      await writeFile(join(folder, "docker"), `#!/bin/sh\n${docker}\n`, { mode: 0o755 });
      const env = { PATH: `${folder}:${process.env["PATH"] ?? ""}`, TMPDIR };
      return spawnSync("sh", ["-c", cutScript, "cut", "image", "a"], { env });
    };
    try {
      const saves = `[ "$2" = --help ] || cat ${folder}/saved.tar`;
      const { status, stdout } = await cut(saves, folder);
      expect(status).toBe(0);
      expect([...(await filesIn(gunzipSync(stdout)))]).toEqual([["a", Buffer.from("wanted")]]);
      expect((await cut("exit 1", folder)).status).toBe(127);
      expect((await cut(saves, join(folder, "nowhere"))).status).toBe(127);
      expect((await readdir(folder)).toSorted()).toEqual(["docker", "saved.tar"]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("what names no digest names no file", async () => {
    await expect(store.keep("sha256:../../x", Readable.from([]))).rejects.toMatchObject({ code: "invalid" });
    expect(await store.keepNew(Readable.from([Buffer.from("a")]))).toBe(digest(Buffer.from("a")));
  });
});

describe("an image is sent", () => {
  test("without the layers that are there", async () => {
    await Promise.all(layers.map((layer, index) => store.keep(diffIds[index] ?? "", Readable.from([layer]))));
    let sent = Buffer.of();
    const engine = fakeEngine(async ({ path, body }) => {
      if (path !== "/images/load") return Buffer.from(JSON.stringify({ ...image, Id: image.Id }));
      sent = await buffer(body as Readable);
      return Buffer.from('{"stream":"Loaded image: a:latest"}\n');
    });
    await sendImage(
      engine,
      { image: { id: image.Id, config, layers: diffIds }, names: ["a:latest"], present: 1 },
      store,
    );
    const files = await filesIn(sent);
    const names = diffIds.map((id) => `${id.slice("sha256:".length)}.tar`);
    const configName = `${image.Id.slice("sha256:".length)}.json`;
    expect([...files.keys()].sort()).toEqual([configName, "manifest.json", ...names.slice(1)].sort());
    expect(JSON.parse(files.get("manifest.json")?.toString() ?? "")).toEqual([
      { Config: configName, RepoTags: ["a:latest"], Layers: names },
    ]);
    expect(gunzipSync(files.get(names[2] ?? "") ?? Buffer.of())).toEqual(layers[2]);
  });

  test("and when that fails, no layer stays open", async () => {
    const large = randomBytes(4 << 20);
    const shipment = { image: { id: image.Id, config, layers: [digest(large)] }, names: ["a:latest"], present: 0 };
    await store.keep(digest(large), Readable.from([large]));
    const opened: Readable[] = [];
    const watched: LayerStore = {
      ...store,
      kept: (diffId) => {
        const layer = store.kept(diffId);
        const open = (stream: Readable) => (opened.push(stream), stream);
        return layer && { size: layer.size, open: () => open(layer.open()) };
      },
    };
    const engine = fakeEngine(async ({ body }) => {
      await once(body as Readable, "data");
      await expect.poll(() => opened.length).toBe(1);
      // As the engine does.
      (body as Readable).destroy();
      throw new FabricError("connection", "lost");
    });
    await expect(sendImage(engine, shipment, watched)).rejects.toMatchObject({ message: "lost" });
    await expect.poll(() => opened.map(({ closed }) => closed)).toEqual([true]);
  });

  test("a daemon that has something else by that name afterwards is not believed", async () => {
    const engine = fakeEngine(async ({ path }) =>
      Buffer.from(path === "/images/load" ? "" : JSON.stringify({ ...image, Id: "sha256:0", RootFS: { Layers: [] } })),
    );
    const shipment = { image: { id: image.Id, config, layers: diffIds }, names: ["a:latest"], present: 3 };
    await expect(sendImage(engine, shipment, store)).rejects.toMatchObject({ code: "rejected" });
  });

  test("the image itself is found whatever its name, and few others are asked for", async () => {
    const ids = Array.from({ length: 50 }, (_, index) => `sha256:${index}`);
    const asked: string[] = [];
    const engine = fakeEngine(async ({ path }) => {
      if (path === "/images/json") return Buffer.from(JSON.stringify(ids.map((Id) => ({ Id }))));
      asked.push(path);
      const own = path.includes("sha256%3A40") || path.includes("sha256:40");
      return Buffer.from(JSON.stringify({ RootFS: { Layers: own ? [base, middle, top] : [base, middle] } }));
    });
    expect(await presentLayers(engine, { id: "sha256:40", layers: [base, middle, top] })).toBe(3);
    expect(asked.length).toBeLessThan(10);
  });

  test("layers count from the lowest up", async () => {
    const images: Readonly<Record<string, readonly string[]>> = { one: [base], two: [base, top], three: [middle, top] };
    const engine = fakeEngine(async ({ path }) => {
      if (path === "/images/json") return Buffer.from(JSON.stringify(Object.keys(images).map((Id) => ({ Id }))));
      return Buffer.from(JSON.stringify({ RootFS: { Layers: images[path.split("/")[2] ?? ""] } }));
    });
    const present = (...wanted: string[]) => presentLayers(engine, { id: "sha256:new", layers: wanted });
    expect(await present(base, middle, top)).toBe(1);
    expect(await present(base, top)).toBe(2);
    expect(await present(top)).toBe(0);
    expect([commonLength([], []), commonLength(["a"], ["a", "b"]), commonLength(["b"], ["a"])]).toEqual([0, 1, 0]);
  });
});

describe("an image is composed", () => {
  const addition = { env: ["A=2", "B=1"], labels: { z: "1", a: "2" } };
  const from: Image = {
    ...image,
    Created: "2026-01-01T00:00:00Z",
    Config: { Env: ["PATH=/bin", "A=1"], Cmd: ["node"] },
  };

  test("of its base, one layer, and what is added", () => {
    const made = composeImage(from, "sha256:1", addition);
    expect(made.layers).toEqual([...diffIds, "sha256:1"]);
    expect(made.id).toBe(digest(made.config));
    expect(JSON.parse(made.config.toString())).toEqual({
      architecture: "amd64",
      os: "linux",
      created: "2026-01-01T00:00:00Z",
      config: { Env: ["PATH=/bin", "A=2", "B=1"], Cmd: ["node"], Labels: { a: "2", z: "1" } },
      rootfs: { type: "layers", diff_ids: [...diffIds, "sha256:1"] },
    });
  });

  test("the same gives the same ID", () => {
    expect(composeImage(from, "sha256:1", addition).id).toBe(composeImage({ ...from }, "sha256:1", addition).id);
    expect(composeImage(emptyImage("arm64"), "sha256:1", addition).layers).toEqual(["sha256:1"]);
  });
});
