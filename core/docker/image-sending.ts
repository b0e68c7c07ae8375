import { pipeline } from "node:stream/promises";
import { Readable } from "node:stream";
import { pack, type Pack } from "tar-stream";
import { FabricError } from "../error.ts";
import type { Engine } from "./engine.ts";
import type { ImageContent } from "./image-content.ts";
import { inspectImage, loadImage, tagImage, type Image, type TransferOptions } from "./images.ts";
import { hexOf, type KeptLayer, type LayerStore } from "./layer-store.ts";

/** An image for a daemon. */
export interface Shipment {
  readonly image: ImageContent;
  /** "repository:tag" */
  readonly names: readonly string[];
  /** How many of the layers, from the lowest up, the daemon has already. */
  readonly present: number;
}

/**
 * Loads an image into a daemon under its names: the configuration, and from the store only the layers that the daemon lacks.
 * Returns the bytes sent. Throws `internal` when the store lacks one of these layers, `rejected` when the daemon has not loaded the image.
 */
export async function sendImage(
  engine: Engine,
  shipment: Shipment,
  store: LayerStore,
  options: TransferOptions = {},
): Promise<number> {
  const { archive, size } = archiveOf(shipment, store);
  await loadImage(engine, archive, { ...options, bytes: size });
  for (const name of shipment.names) {
    const { Id } = await arrived(engine, shipment.image, name, options.signal);
    // A daemon stores the time when it tags an image, and not when it loads one with a name (image-age.ts).
    await tagImage(engine, Id, name, options.signal);
  }
  return size;
}

/** A docker-archive (moby image/spec/v1.2) without the layers that the daemon has. */
function archiveOf(
  { image, names, present }: Shipment,
  store: LayerStore,
): { readonly archive: Readable; readonly size: number } {
  const files = image.layers.map((diffId) => `${hexOf(diffId)}.tar`);
  const missing = image.layers.slice(present).map((diffId) => {
    const layer = store.kept(diffId);
    if (!layer) throw new FabricError("internal", `the layer ${diffId} was not read before it was sent`);
    return { name: `${hexOf(diffId)}.tar`, size: layer.size, open: () => layer.open() };
  });
  const config = `${hexOf(image.id)}.json`;
  const manifest = JSON.stringify([{ Config: config, RepoTags: names, Layers: files }]);
  const archive = pack();
  const fill = async () => {
    archive.entry({ name: config }, image.config);
    archive.entry({ name: "manifest.json" }, manifest);
    for (const layer of missing) await addFile(archive, layer);
    archive.finalize();
  };
  fill().catch((error: Error) => archive.destroy(error));
  const contents = missing.reduce((sum, { size }) => sum + size, image.config.length + manifest.length);
  return { archive: Readable.from(archive, { objectMode: false, highWaterMark: 128 * 1024 }), size: contents };
}

async function addFile(archive: Pack, layer: KeptLayer & { readonly name: string }): Promise<void> {
  const entry = archive.entry({ name: layer.name, size: layer.size });
  await pipeline(layer.open(), entry);
}

/** Checks that the daemon has the image. With containerd's image store its ID is another, but its layers are the same. */
async function arrived(
  engine: Engine,
  { id, layers }: ImageContent,
  name: string,
  signal: AbortSignal | undefined,
): Promise<Image> {
  const found = await inspectImage(engine, name, signal);
  if (found && (found.Id === id || found.RootFS.Layers?.join() === layers.join())) return found;
  throw new FabricError("rejected", `expected Docker to have loaded ${id} as ${name}, found ${found?.Id ?? "none"}`);
}
