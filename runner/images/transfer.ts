import { createReadStream, createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { ApiError } from "../api-error.ts";
import { newBudget, type ArchiveLimits } from "../archive/budget.ts";
import { addContent, type Header } from "../archive/pack.ts";
import { readArchive } from "../archive/read.ts";
import { encodeConfig, isRecord, layersOf, parseConfig, parseJson, strings, type ImageConfig } from "./image-config.ts";
import type { Image, ImageStore } from "./image-store.ts";
import { copyLayer } from "./layer.ts";

/**
 * Images as a docker-archive, which any Docker can load (moby image/spec/v1.2). Its files are named by their digests, as in Docker 25 and
 * later, so that a client that knows the image knows their names. The toolchain's layers are not in it.
 */
export function saveImages(images: readonly Image[], store: ImageStore): Readable {
  const archive = pack();
  write(archive, images, store).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(archive);
}

async function write(archive: Pack, images: readonly Image[], store: ImageStore): Promise<void> {
  const written = new Set<string>();
  for (const image of images) {
    await addText(archive, blobName(image.id), encodeConfig(image.config).bytes);
    for (const file of store.layerFiles(image)) {
      const name = layerName(file);
      if (written.has(name)) continue;
      written.add(name);
      await addContent(archive, { name, size: (await stat(file)).size }, createReadStream(file));
    }
  }
  const manifest = images.map((image) => ({
    Config: blobName(image.id),
    RepoTags: image.names,
    Layers: store.layerFiles(image).map(layerName),
  }));
  await addText(archive, "manifest.json", JSON.stringify(manifest));
}

const blobName = (hex: string): string => `blobs/sha256/${hex}`;
const layerName = (file: string): string => blobName(basename(file, ".tar"));

function addText(archive: Pack, name: string, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const header: Header = { name };
    archive.entry(header, text, (error) => (error ? reject(error) : resolve()));
  });
}

interface ManifestEntry {
  readonly config: string;
  readonly names: readonly string[];
  readonly layers: readonly string[];
}

export interface LoadSettings {
  readonly store: ImageStore;
  readonly limits: ArchiveLimits;
  /** Whether a name is a toolchain's, whose content is in the runner already. */
  readonly isToolchain: (name: string) => boolean;
}

/** The loaded images' names, and the names of toolchains, whose content in the archive was ignored. */
export interface Loaded {
  readonly names: readonly string[];
  readonly builtIn: readonly string[];
}

const smallBytes = 1024 * 1024;

/**
 * Loads a docker-archive. Of each image only the files that Fabric adds to a toolchain are kept: usr/local/src, usr/local/bin/chaincode,
 * root/chaincode-java/chaincode. The archive may lack layers. Throws ApiError 400 when an image has no chaincode.
 */
export async function loadImages(source: Readable, { store, limits, isToolchain }: LoadSettings): Promise<Loaded> {
  const small = new Map<string, string>();
  const files = new Map<string, string>();
  try {
    await readArchive(source, newBudget(limits), async (entry) => {
      const { name, type, size } = entry.header;
      if (type !== "file") {
        entry.resume();
        return;
      }
      if (size <= smallBytes && /\.json$|^blobs\//.test(name)) small.set(name, "");
      const file = store.unfinished();
      files.set(name, file);
      await pipeline(entry, createWriteStream(file, { flags: "wx", mode: 0o600 }));
    });
    for (const name of small.keys())
      small.set(name, (await buffer(createReadStream(files.get(name) ?? ""))).toString());
    const loaded: { names: string[]; builtIn: string[] } = { names: [], builtIn: [] };
    for (const { config, names, layers } of parseManifest(small.get("manifest.json"))) {
      loaded.builtIn.push(...names.filter(isToolchain));
      const wanted = names.filter((name) => !isToolchain(name));
      if (wanted.length === 0) continue;
      const about = parseConfig(small.get(config) ?? "");
      if (about === undefined)
        throw new ApiError(400, `expected the configuration ${config} in the archive, found none`);
      await addLoaded(
        store,
        about,
        wanted,
        layers.flatMap((layer) => files.get(layer) ?? []),
        limits,
      );
      loaded.names.push(...wanted);
    }
    return loaded;
  } finally {
    for (const file of files.values()) await rm(file, { force: true });
  }
}

function parseManifest(text: string | undefined): readonly ManifestEntry[] {
  const manifest = parseJson(text ?? "");
  if (!Array.isArray(manifest)) {
    throw new ApiError(400, "expected an archive as docker save makes it, found no manifest.json in it");
  }
  return manifest.filter(isRecord).map((entry) => ({
    config: typeof entry["Config"] === "string" ? entry["Config"] : "",
    names: strings(entry["RepoTags"]),
    layers: strings(entry["Layers"]),
  }));
}

async function addLoaded(
  store: ImageStore,
  about: ImageConfig,
  names: readonly string[],
  layers: readonly string[],
  limits: ArchiveLimits,
): Promise<void> {
  if (await adopt(store, about, names, layers, limits)) return;
  // An image that a runner saved keeps its configuration, and so its ID.
  const describe = (layer: string): ImageConfig =>
    layersOf(about).length === 1 && about.rootfs.diff_ids[0] === layer
      ? about
      : { ...about, rootfs: { type: "layers", diff_ids: [layer] } };
  const sources = layers.map((file) => ({ archive: createReadStream(file), directory: "/", chaincodeOnly: true }));
  await store.add(sources, describe, names);
}

/** Adds an image of one chaincode layer unchanged; false for other images. */
async function adopt(
  store: ImageStore,
  about: ImageConfig,
  names: readonly string[],
  [layer, ...below]: readonly string[],
  limits: ArchiveLimits,
): Promise<boolean> {
  if (layer === undefined || below.length > 0) return false;
  const copy = store.unfinished();
  try {
    const copied = await copyLayer(layer, copy, limits);
    if (copied === undefined || about.rootfs.diff_ids.join() !== `sha256:${copied.digest}`) return false;
    await store.adopt(copy, copied, about, names);
    return true;
  } finally {
    await rm(copy, { force: true });
  }
}
