import type { Engine } from "./engine.ts";
import { inspectImage, listImages } from "./images.ts";

/**
 * How many of an image's layers, from the lowest up, a daemon has. It keeps a layer together with what is below
 * (moby layer: chain IDs), so only the beginning of a list counts.
 */
export async function presentLayers(engine: Engine, layers: readonly string[], signal?: AbortSignal): Promise<number> {
  const ids = [...new Set((await listImages(engine, undefined, signal)).map(({ Id }) => Id))];
  const found = await Promise.all(ids.map((id) => inspectImage(engine, id, signal)));
  return Math.max(0, ...found.map((image) => commonLength(image?.RootFS.Layers ?? [], layers)));
}

/** How many leading items two lists share. */
export function commonLength(left: readonly string[], right: readonly string[]): number {
  const different = left.findIndex((item, index) => item !== right[index]);
  return different < 0 ? Math.min(left.length, right.length) : different;
}
