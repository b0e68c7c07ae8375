import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { FabricError, LostConnection } from "../error.ts";
import type { Daemon } from "./daemon.ts";
import type { ImageContent } from "./image-content.ts";
import { saveImages, type Image } from "./images.ts";
import { hexOf, type LayerStore } from "./layer-store.ts";

/** The names of an image's parts in an archive. */
interface Layout {
  readonly config: string;
  /** Diff ID -> name, of the wanted layers. */
  readonly layers: ReadonlyMap<string, string>;
}

/**
 * `docker save` cannot choose layers, so this script cuts its archive in the Pod: only wanted files are sent. Its temporary
 * files have their size. It needs sh, tar and gzip of busybox. It ends with 127 where it cannot work: in a runner's container, whose
 * `docker` saves nothing and whose file system is read-only.
 */
export const cutScript = readFileSync(new URL("./cut-archive.sh", import.meta.url), "utf8");

/** The largest configuration, in bytes. Layers are never read into memory. */
const largestText = 4 * 1024 * 1024;

/**
 * Reads an image's configuration from a daemon, and the given layers into the store, each checked against its digest.
 * Throws `invalid` when the archive does not match the image.
 */
export async function readSavedImage(
  daemon: Daemon,
  image: Image,
  layers: readonly string[],
  store: LayerStore,
  signal?: AbortSignal,
): Promise<ImageContent> {
  const layout = (await savesOciLayout(daemon, signal))
    ? ociLayout(image, layers)
    : await legacyLayout(daemon, image, layers, signal);
  const wanted = [layout.config, ...layout.layers.values()];
  const diffIds = new Map([...layout.layers].map(([diffId, name]) => [name, diffId]));
  let config: Buffer | undefined;
  const seen = new Set<string>();
  await eachEntry(daemon, image.Id, wanted, signal, async (name, content) => {
    const diffId = diffIds.get(name);
    if (name === layout.config) config = await buffer(content);
    if (diffId === undefined) return;
    await store.keep(diffId, content);
    seen.add(diffId);
  });
  const lost = layers.find((diffId) => !seen.has(diffId));
  if (lost !== undefined)
    throw new FabricError("invalid", `expected the layer ${lost} in what Docker saved, found none`);
  return { id: image.Id, config: checkedConfig(config, image.Id), layers: image.RootFS.Layers ?? [] };
}

/** Whether the daemon saves blobs by digest, as Docker 25 (API 1.44) and later do; a layer's digest is that of its tar. */
async function savesOciLayout({ engine }: Daemon, signal: AbortSignal | undefined): Promise<boolean> {
  const { ApiVersion = "" } = (await engine.call({ method: "GET", path: "/version", signal })) as {
    readonly ApiVersion?: string;
  };
  const [major = 0, minor = 0] = ApiVersion.split(".").map(Number);
  return major > 1 || (major === 1 && minor >= 44);
}

function ociLayout({ Id }: Image, layers: readonly string[]): Layout {
  const blob = (digest: string): string => `blobs/sha256/${hexOf(digest)}`;
  return { config: blob(Id), layers: new Map(layers.map((diffId) => [diffId, blob(diffId)])) };
}

/** The layout before Docker 25: only the manifest tells the folders' names. It lists them in the order of the layers. */
async function legacyLayout(
  daemon: Daemon,
  { Id, RootFS }: Image,
  layers: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Layout> {
  let manifest: Buffer | undefined;
  await eachEntry(daemon, Id, ["manifest.json"], signal, async (name, content) => {
    if (name === "manifest.json") manifest = await buffer(content);
  });
  const [entry] = JSON.parse(manifest?.toString() ?? "[]") as {
    readonly Config: string;
    readonly Layers: readonly string[];
  }[];
  const all = RootFS.Layers ?? [];
  if (!entry || entry.Layers.length !== all.length)
    throw new FabricError("invalid", `expected ${all.length} layers in what Docker saved of ${Id}`);
  const nameOf = (diffId: string): string => entry.Layers[all.indexOf(diffId)] ?? "";
  return { config: entry.Config, layers: new Map(layers.map((diffId) => [diffId, nameOf(diffId)])) };
}

type Use = (name: string, content: Readable) => Promise<void>;

/** An exec may lose the end of a command's output, although it ends with 0 (kubernetes#124571): then we read again. */
const mostReadings = 3;

async function eachEntry(
  daemon: Daemon,
  image: string,
  wanted: readonly string[],
  signal: AbortSignal | undefined,
  use: Use,
): Promise<void> {
  for (let reading = 1; ; reading++) {
    try {
      return await readEntries(daemon, image, wanted, signal, use);
    } catch (error) {
      if (!isCutShort(error)) throw error;
      if (reading < mostReadings) continue;
      throw new LostConnection(`what Docker saved of ${image} came without its end`, {
        hint: "type the same command again",
        cause: error,
      });
    }
  }
}

/** Recognises errors of zlib and of tar-stream. */
function isCutShort(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof FabricError) return false;
  return ("code" in error && error.code === "Z_BUF_ERROR") || error.message === "Unexpected end of data";
}

/** Reads the cut archive. Where the daemon's container cannot cut it, reads the whole archive through the API. */
async function readEntries(
  daemon: Daemon,
  image: string,
  wanted: readonly string[],
  signal: AbortSignal | undefined,
  use: Use,
): Promise<void> {
  const names = new Set(wanted);
  try {
    const cut = await daemon.run(["sh", "-c", cutScript, "cut", image, ...wanted], signal);
    await eachFile([cut, createGunzip()], names, use);
  } catch (error) {
    if (!(error instanceof FabricError) || error.code !== "not-found") throw error;
    await eachFile([await saveImages(daemon.engine, [image], signal)], names, use);
  }
}

/** Walks through a tar and reads only the wanted files. */
export async function eachFile(
  source: readonly [Readable, ...NodeJS.ReadWriteStream[]],
  wanted: ReadonlySet<string> | ((name: string, size: number) => boolean),
  use: Use,
): Promise<void> {
  const isWanted = typeof wanted === "function" ? wanted : (name: string) => wanted.has(name);
  const tar = extract();
  const walk = async () => {
    for await (const entry of tar) {
      const { name, type, size } = entry.header;
      const file = name.replace(/^\.\//, "");
      if (type === "file" && isWanted(file, size)) await use(file, Readable.from(entry, { objectMode: false }));
      else entry.resume();
    }
  };
  const ended = await Promise.allSettled([walk(), pipeline([...source, tar])]);
  const failures = ended.flatMap((end): unknown[] => (end.status === "rejected" ? [end.reason] : []));
  // When one of both fails, the other fails with it. Our own error, else the one of a cut archive, is the reason.
  const own = failures.find((failure) => failure instanceof FabricError) ?? failures.find(isCutShort);
  if (failures.length > 0) throw own ?? failures[0];
}

export function checkedConfig(config: Buffer | undefined, id: string): Buffer {
  if (!config || config.length > largestText) throw new FabricError("invalid", `expected the configuration of ${id}`);
  const found = `sha256:${createHash("sha256").update(config).digest("hex")}`;
  if (found !== id) throw new FabricError("invalid", `expected the configuration ${id}, found ${found}`);
  return config;
}
