import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { extract, pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { architectureOfExecutable, isExecutable } from "../../../../../core/chaincode/image/executable.ts";
import { findImage } from "../../../../../core/chaincode/image/given-image.ts";
import { imageOfPackage, imagePackage } from "../../../../../core/chaincode/image/image-package.ts";
import { newLayerReader } from "../../../../../core/chaincode/image/image-source.ts";
import type { SeedPeer } from "../../../../../core/chaincode/image/seed-peer.ts";
import { newSeeding } from "../../../../../core/chaincode/seed/seeding.ts";
import { languageOfImage } from "../../../../../core/chaincode/image/start-command.ts";
import { EngineError, type Engine } from "../../../../../core/docker/engine.ts";
import { newLayerStore } from "../../../../../core/docker/layer-store.ts";
import { FabricError } from "../../../../../core/error.ts";
import { chaincodeFiles } from "../../../../../core/fabric/package/chaincode-package.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const context = { signal, progress: () => {} };
const digest = (content: Buffer): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** An ELF-64 header with program headers of these types. */
function elf({ machine = 0x3e, types = [1], bits = 2 } = {}): Buffer {
  const file = Buffer.alloc(64 + 56 * types.length);
  file.write("\x7fELF", "latin1");
  file.writeUInt8(bits, 4);
  file.writeUInt8(1, 5);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(types.length, 56);
  types.forEach((type, index) => file.writeUInt32LE(type, 64 + 56 * index));
  return file;
}

describe("a program for Linux", () => {
  test.each([
    [0x3e, "amd64"],
    [0xb7, "arm64"],
  ])("machine %d is %s", (machine, architecture) => {
    expect(isExecutable(elf({ machine }))).toBe(true);
    expect(architectureOfExecutable(elf({ machine }), "cc")).toBe(architecture);
  });

  test.each<[string, Buffer, RegExp]>([
    ["shared libraries", elf({ types: [1, 3] }), /needs shared libraries/],
    ["32 bits", elf({ bits: 1 }), /another format/],
    ["an unknown machine", elf({ machine: 0x99 }), /machine 0x99/],
    ["half a file", elf({ types: [1, 1, 1] }).subarray(0, 100), /half of one/],
    ["a few bytes", Buffer.from("\x7fELF", "latin1"), /another format/],
  ])("%s is refused", (_, program, found) => {
    expect(() => architectureOfExecutable(program, "cc")).toThrow(found);
    expect(() => architectureOfExecutable(program, "cc")).toThrow(FabricError);
  });

  // What real linkers make, as these dependencies bring it for this machine.
  test("esbuild, which is by Go, runs by itself", async () => {
    const esbuild = createRequire(import.meta.url).resolve(`@esbuild/linux-${process.arch}/bin/esbuild`);
    const program = await readFile(esbuild);
    expect(isExecutable(program)).toBe(true);
    expect(architectureOfExecutable(program, "esbuild")).toBe({ x64: "amd64", arm64: "arm64" }[process.arch as string]);
  });

  test("Node needs shared libraries", async () => {
    const program = await readFile(process.execPath);
    expect(isExecutable(program)).toBe(true);
    expect(() => architectureOfExecutable(program, "node")).toThrow(/shared libraries/);
  });
});

describe("what stands for an image", () => {
  const id = digest(Buffer.from("image"));

  test("is the same for the same image, another for another", async () => {
    const [one, again, other] = await Promise.all([
      imagePackage("a", "node", id),
      imagePackage("a", "node", id),
      imagePackage("a", "node", digest(Buffer.from("other"))),
    ]);
    expect(one.id).toBe(again.id);
    expect(one.id).not.toBe(other.id);
    expect(imageOfPackage(await chaincodeFiles(one))).toBe(id);
    expect(imageOfPackage([])).toBeUndefined();
  });

  test("is never composed or built by its sources when its image is lost", async () => {
    const pkg = await imagePackage("a", "node", id);
    const engine = fakeEngine({});
    const peer = (host: string): SeedPeer => ({
      host,
      names: () => Promise.resolve({ networkId: "dev", peerId: host }),
      buildSettings: () => Promise.resolve({ nodeRuntime: "hyperledger/fabric-nodeenv:2.5", version: "v3.1.5" }),
      withDaemon: (_, use) => use({ engine, run: () => Promise.reject(new Error("nothing to run")) }),
    });
    const peers = [peer("a"), peer("b")];
    const seeding = newSeeding({ id: pkg.id, load: () => Promise.resolve(pkg) }, peers);
    const build = () => Promise.reject(new Error("it was to be built"));
    await expect(seeding.provide(peer("a"), context, build)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining(id) as string,
    });
    await seeding.close();
  });
});

/** A daemon whose images, by name, have these files. */
function fakeEngine(
  images: Readonly<Record<string, { readonly files: readonly string[]; readonly label?: string }>>,
  containers = new Map<string, string>(),
): Engine {
  const absent = (what: string) => new EngineError(404, `No such ${what}`, "here");
  const call: Engine["call"] = async ({ method, path, body }) => {
    if (path === "/containers/create") {
      const Id = `container${containers.size}`;
      containers.set(Id, (body as { readonly Image: string }).Image);
      return { Id };
    }
    if (method === "DELETE") return void containers.delete(path.replace("/containers/", ""));
    const image = images[/^\/images\/(.*)\/json$/.exec(path)?.[1] ?? ""];
    if (!image) throw absent("image");
    const Labels = image.label === undefined ? null : { "org.hyperledger.fabric.chaincode.type": image.label };
    return { Id: "sha256:1", Config: { Labels, Env: ["PATH=/usr/local/bin:/bin"] }, RootFS: { Layers: [] } };
  };
  return {
    target: { namespace: "", pod: "", container: "" },
    call,
    stream: async ({ path, query }) => {
      const image = containers.get(/^\/containers\/(.*)\/archive$/.exec(path)?.[1] ?? "") ?? "";
      if (!images[image]?.files.includes(String(query?.["path"]))) throw absent("file");
      return Readable.from([]) as never;
    },
    close: () => {},
  };
}

describe("how an image is started", () => {
  const containers = new Map<string, string>();
  const images = {
    go: { files: ["/bin/chaincode"] },
    node: { files: ["/bin/sh", "/usr/local/bin/npm", "/usr/local/src/package.json"] },
    nodeenv: { files: ["/bin/sh", "/chaincode/start.sh"], label: "NODE" },
    java: { files: ["/root/chaincode-java/start"] },
    server: { files: ["/usr/local/bin/node", "/app/server.js"] },
    lying: { files: ["/bin/chaincode"], label: "NODE" },
  };
  const engine = fakeEngine(images, containers);

  test.each([
    ["go", undefined, "golang"],
    ["node", undefined, "node"],
    ["nodeenv", undefined, "node"],
    ["java", undefined, "java"],
    ["lying", "golang", "golang"],
  ] as const)("%s, told %s: as %s", async (image, told, language) => {
    expect(await languageOfImage(engine, image, told, signal)).toBe(language);
  });

  test.each([
    ["server", undefined, /golang: "chaincode -peer.address=[^]*java:[^]*node:/],
    ["go", "node", /node: "cd \/usr\/local\/src && npm start[^]*needs \/bin\/sh and \/chaincode\/start.sh, or/],
    ["lying", undefined, /node:/],
  ] as const)("%s, told %s: is refused, and told why", async (image, told, message) => {
    const refusal = languageOfImage(engine, image, told, signal);
    await expect(refusal).rejects.toThrow(message);
    await expect(refusal).rejects.toMatchObject({ code: "invalid" });
  });

  test("no container is left behind, be it started or refused", async () => {
    const made = vi.spyOn(containers, "set");
    await languageOfImage(engine, "node", undefined, signal);
    await expect(languageOfImage(engine, "server", undefined, signal)).rejects.toThrow(/golang/);
    expect(made).toHaveBeenCalledTimes(2);
    expect(containers.size).toBe(0);
  });
});

describe("an image from a file", () => {
  let folder: string;
  const file = (name: string): string => join(folder, name);
  const layer = Buffer.from("a layer");

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "given-image-"));
    await writeFile(file("program"), elf());
    await writeFile(file("folder.tar"), "no archive");
    for (const [name, label] of [
      ["labelled.tar", "NODE"],
      ["plain.tar", undefined],
    ] as const) {
      const labels = label === undefined ? {} : { Labels: { "org.hyperledger.fabric.chaincode.type": label } };
      const config = JSON.stringify({ architecture: "amd64", config: labels, rootfs: { diff_ids: [digest(layer)] } });
      const tar = pack();
      tar.entry({ name: "l/layer.tar" }, layer);
      tar.entry({ name: "config.json" }, config);
      tar.entry({ name: "manifest.json" }, JSON.stringify([{ Config: "config.json", Layers: ["l/layer.tar"] }]));
      tar.finalize();
      await writeFile(file(name), await buffer(tar));
    }
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("an archive: its label says how it is started, its layers are read when they are asked for", async () => {
    const { pkg, image } = await findImage([], { reference: file("labelled.tar"), label: "a" }, signal);
    expect(pkg.metadata).toMatchObject({ type: "node", label: "a" });
    const reader = newLayerReader(newLayerStore());
    const source = await image(reader, context);
    expect(await source.read([digest(layer)], context)).toMatchObject({ layers: [digest(layer)] });
    const kept = reader.store.kept(digest(layer));
    expect(gunzipSync(await buffer(kept?.open() ?? Readable.from([])))).toEqual(layer);
    await reader.store.close();
  });

  test("a program: an image of nothing else, the same whenever it is made", async () => {
    const request = { reference: file("program"), label: "a" };
    const [one, again] = await Promise.all([findImage([], request, signal), findImage([], request, signal)]);
    expect(one.pkg.metadata.type).toBe("golang");
    expect(one.pkg.id).toBe(again.pkg.id);
    const reader = newLayerReader(newLayerStore());
    const source = await one.image(reader, context);
    expect(imageOfPackage(await chaincodeFiles(one.pkg))).toBe(source.id);
    const kept = reader.store.kept(source.layers[0] ?? "");
    const names: string[] = [];
    const tar = extract();
    tar.end(gunzipSync(await buffer(kept?.open() ?? Readable.from([]))));
    for await (const entry of tar) {
      names.push(`${(entry.header.mode ?? 0).toString(8)} ${entry.header.name}`);
      entry.resume();
    }
    expect(names).toContain("755 usr/local/bin/chaincode");
    await reader.store.close();
  });

  test.each<[string, "node" | undefined, string, RegExp]>([
    ["plain.tar", undefined, "usage", /--language|label/],
    ["folder.tar", undefined, "usage", /manifest\.json|image archive/],
    ["gone.tar", undefined, "usage", /found no file/],
    [".", undefined, "usage", /found the folder/],
    ["program", "node", "usage", /started as golang/],
  ])("%s (%s) is refused", async (name, language, code, message) => {
    const refusal = findImage([], { reference: file(name), label: "a", language }, signal);
    await expect(refusal).rejects.toMatchObject({ code });
    await expect(refusal).rejects.toThrow(message);
  });

  test("an image that nobody has", async () => {
    await expect(findImage([], { reference: "registry/a:1", label: "a" }, signal)).rejects.toMatchObject({
      code: "not-found",
      hint: typedAs(expect.stringContaining("docker save")),
    });
  });
});
