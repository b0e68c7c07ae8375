import type { Engine } from "./engine.ts";
import { inspectImage, listImages } from "./images.ts";

/** Images asked for at once: each call under way is an exec of its own. */
const mostConnections = 4;

/**
 * How many of an image's layers, from the lowest up, a daemon has. A daemon stores a layer together with the layers below it
 * (moby layer: chain IDs), so only equal beginnings of the lists count. Looks first at the image itself, then at others, until all
 * layers but the highest are found: that is the base.
 */
export async function presentLayers(
  engine: Engine,
  { id, layers }: { readonly id: string; readonly layers: readonly string[] },
  signal?: AbortSignal,
): Promise<number> {
  const listed = (await listImages(engine, undefined, signal)).map(({ Id }) => Id);
  const ids = [...new Set(listed.includes(id) ? [id, ...listed] : listed)];
  const enough = Math.max(1, layers.length - 1);
  let present = 0;
  for (let next = 0; next < ids.length && present < enough; next += mostConnections) {
    const some = ids.slice(next, next + mostConnections).map((each) => inspectImage(engine, each, signal));
    const found = await Promise.all(some);
    present = Math.max(present, ...found.map((image) => commonLength(image?.RootFS.Layers ?? [], layers)));
  }
  return present;
}

/** How many leading items two lists share. */
export function commonLength(left: readonly string[], right: readonly string[]): number {
  const different = left.findIndex((item, index) => item !== right[index]);
  return different < 0 ? Math.min(left.length, right.length) : different;
}
