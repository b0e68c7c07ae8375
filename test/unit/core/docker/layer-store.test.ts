import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readlink, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newLayerStore } from "../../../../core/docker/layer-store.ts";

const usual = process.env["TMPDIR"];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "layers-"));
  process.env["TMPDIR"] = folder;
});
afterEach(async () => {
  if (usual === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = usual;
  await rm(folder, { recursive: true });
});

const digest = (content: Buffer): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;

/** Incompressible, larger than what streams hold. */
const layer = Buffer.concat(
  Array.from({ length: 40_000 }, (_, index) => createHash("sha256").update(`${index}`).digest()),
);

test("a layer is read by several at once, each from its beginning to its end", async () => {
  const store = newLayerStore();
  const id = await store.keepNew(Readable.from([layer]));
  expect(id).toBe(digest(layer));
  const kept = store.kept(id);
  const read = await Promise.all(Array.from({ length: 20 }, async () => kept && buffer(kept.open())));
  for (const one of read) {
    expect(one?.length).toBe(kept?.size);
    expect(gunzipSync(one ?? "").equals(layer)).toBe(true);
  }
  await store.close();
});

test("whoever reads when all is let go of reads to the end, whatever files are opened meanwhile", async () => {
  const store = newLayerStore();
  const id = await store.keepNew(Readable.from([layer]));
  const reader = store.kept(id)?.open();
  if (!reader) throw new Error("expected the layer");
  const [first] = (await once(reader, "data")) as [Buffer];
  reader.pause();
  await store.close();
  expect(store.kept(id)).toBeUndefined();
  // They get the lowest descriptors that are free.
  const others = newLayerStore();
  for (let index = 0; index < 20; index++) await others.keepNew(Readable.from([Buffer.from(`other ${index}`)]));
  const rest = await buffer(reader);
  expect(gunzipSync(Buffer.concat([first, rest])).equals(layer)).toBe(true);
  await others.close();
});

test("a layer that is not what its digest says is not kept", async () => {
  const store = newLayerStore();
  const wanted = digest(Buffer.from("other"));
  await expect(store.keep(wanted, Readable.from([layer]))).rejects.toMatchObject({ code: "invalid" });
  expect(store.kept(wanted)).toBeUndefined();
  await store.close();
});

describe.skipIf(process.platform !== "linux")("files of layers", () => {
  /** Of this process, by their descriptors. */
  async function openFiles(): Promise<readonly string[]> {
    const names = await readdir("/proc/self/fd");
    const files = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
    return files.filter((file) => file.startsWith(folder));
  }

  test("are closed when all is let go of, and where a layer could not be read", async () => {
    const store = newLayerStore();
    await store.keepNew(Readable.from([layer]));
    await store.keepNew(Readable.from([layer]));
    expect(await openFiles()).toHaveLength(1);
    const lost = new Readable({ read: (): void => void lost.destroy(new Error("the connection was lost")) });
    await expect(store.keepNew(lost)).rejects.toThrow("the connection was lost");
    expect(await openFiles()).toHaveLength(1);
    await store.close();
    expect(await openFiles()).toEqual([]);
  });

  test("have no name at any time after they were made", async () => {
    const store = newLayerStore();
    const id = await store.keepNew(Readable.from([layer]));
    expect(store.kept(id)?.size).toBeGreaterThan(layer.length / 2);
    expect(await readdir(folder)).toEqual([]);
    await store.close();
  });

  test.each([
    ["has kept a layer", "await store.keepNew(Readable.from([Buffer.alloc(1e6, 7)])); process.stdout.write('kept');"],
    [
      "is keeping one",
      "const tar = new Readable({ read() {} }); store.keepNew(tar); for (let i = 0; i < 2000; i++) tar.push(randomBytes(4096)); process.stdout.write('half');",
    ],
  ])("are gone with a plugin that is killed when it %s", async (_, act) => {
    const store = join(import.meta.dirname, "../../../../core/docker/layer-store.ts");
    const source = `import { Readable } from "node:stream"; import { randomBytes } from "node:crypto";
      import { newLayerStore } from ${JSON.stringify(store)};
      const store = newLayerStore(); setInterval(() => {}, 1e6); ${act}`;
    const args = ["--input-type=module", "--disable-warning=ExperimentalWarning", "--eval", source];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, TMPDIR: folder },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(child.stdout, "data");
      await expect.poll(() => bytesOpen(child), { timeout: 30_000 }).toBeGreaterThan(500);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      child.kill("SIGKILL");
      await once(child, "close");
    }
    expect(await readdir(folder)).toEqual([]);
  });

  /** What a process has on the disk in the folder. */
  async function bytesOpen({ pid }: ChildProcess): Promise<number> {
    const descriptors = await readdir(`/proc/${pid}/fd`);
    const sizes = await Promise.all(
      descriptors.map(async (name) => {
        const path = `/proc/${pid}/fd/${name}`;
        return (await readlink(path).catch(() => "")).startsWith(folder) ? (await stat(path)).size : 0;
      }),
    );
    return sizes.reduce((sum, size) => sum + size, 0);
  }
});
