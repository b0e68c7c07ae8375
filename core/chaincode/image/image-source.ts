import { composeImage, type ImageAddition } from "../../docker/composed-image.ts";
import type { ImageContent } from "../../docker/image-content.ts";
import type { Image } from "../../docker/images.ts";
import type { LayerStore } from "../../docker/layer-store.ts";
import { readSavedImage } from "../../docker/saved-image.ts";
import type { StepContext } from "../../engine/step.ts";
import type { SeedPeer } from "./seed-peer.ts";

/** An image that can be sent: who has it, and how to get at its layers. */
export interface ImageSource {
  readonly id: string;
  /** Diff IDs, the lowest first. */
  readonly layers: readonly string[];
  readonly architecture: string;
  /** For people: "peer0.org1", "image.tar". */
  readonly from: string;
  /** Puts these of its layers into the store, unless they are there. */
  read(layers: readonly string[], context: StepContext): Promise<ImageContent>;
}

/** Reads each layer once, however many ask for it. */
export interface LayerReader {
  readonly store: LayerStore;
  /** Images whose configuration has been read, by ID. */
  readonly contents: Map<string, ImageContent>;
  ensure(layers: readonly string[], read: (missing: readonly string[]) => Promise<void>): Promise<void>;
}

export function newLayerReader(store: LayerStore): LayerReader {
  const reading = new Map<string, Promise<void>>();
  return {
    store,
    contents: new Map(),
    async ensure(layers, read) {
      const missing = layers.filter((layer) => !reading.has(layer));
      if (missing.length > 0) {
        const promise = read(missing);
        for (const layer of missing) reading.set(layer, promise);
        promise.catch(() => missing.forEach((layer) => reading.delete(layer)));
      }
      await Promise.all(layers.map(async (layer) => reading.get(layer)));
    },
  };
}

/** An image that a peer's daemon has. */
export function daemonSource(peer: SeedPeer, image: Image, reader: LayerReader): ImageSource {
  const fetch = async (layers: readonly string[], { signal, progress }: StepContext): Promise<ImageContent> => {
    progress(`reads ${count(layers.length)} from ${peer.host}`);
    const content = await peer.withDaemon(signal, (daemon) =>
      readSavedImage(daemon, image, layers, reader.store, signal),
    );
    reader.contents.set(image.Id, content);
    return content;
  };
  return {
    id: image.Id,
    layers: image.RootFS.Layers ?? [],
    architecture: image.Architecture,
    from: peer.host,
    async read(layers, context) {
      await reader.ensure(layers, async (missing) => void (await fetch(missing, context)));
      // Its layers may have come with another image: then only the configuration is asked for.
      return reader.contents.get(image.Id) ?? fetch([], context);
    },
  };
}

/**
 * An image that is made here: one layer of the store on a base. `baseSource` has the base's layers; none for an empty base. `from` is where
 * the layer was built, for people.
 */
export function composedSource(
  base: Image,
  baseSource: ImageSource | undefined,
  layer: string,
  addition: ImageAddition,
  from = "here",
): ImageSource {
  const content = composeImage(base, layer, addition);
  return {
    id: content.id,
    layers: content.layers,
    architecture: base.Architecture,
    from,
    async read(layers, context) {
      const below = layers.filter((one) => one !== layer);
      if (below.length > 0) await baseSource?.read(below, context);
      return content;
    },
  };
}

const count = (layers: number): string =>
  layers === 0 ? "the configuration" : layers === 1 ? "1 layer" : `${layers} layers`;
