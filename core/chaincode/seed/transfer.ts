import { sendImage } from "../../docker/image-sending.ts";
import { newLayerStore } from "../../docker/layer-store.ts";
import { presentLayers } from "../../docker/present-layers.ts";
import { FabricError } from "../../error.ts";
import type { StepContext } from "../../engine/step.ts";
import { newLayerReader, type ImageSource, type LayerReader } from "../image/image-source.ts";
import type { SeedPeer } from "../image/seed-peer.ts";

/** All images that are being sent: a layer that one image has brought is not read again for another. */
export interface Transfers {
  /** Each layer is read once, for whichever image. */
  readonly reader: LayerReader;
  /**
   * Brings an image into a peer's daemon under a name, with only the layers that this daemon lacks. Gives the bytes sent. One image at
   * a time for each daemon: the next may need the same base.
   */
  send(peer: SeedPeer, source: ImageSource, name: string, context: StepContext): Promise<number>;
  /** Deletes what was kept on the way. */
  close(): Promise<void>;
}

export function newTransfers(): Transfers {
  const reader = newLayerReader(newLayerStore());
  const last = new Map<string, Promise<unknown>>();
  return {
    reader,
    send(peer, source, name, context) {
      const before = last.get(peer.host);
      const sending = async (): Promise<number> => {
        if (before) {
          context.progress("waits for another image");
          await before;
        }
        context.signal.throwIfAborted();
        return sendTo(peer, source, name, reader, context);
      };
      const sent = sending();
      const quietly = sent
        .catch(() => {})
        .finally(() => {
          if (last.get(peer.host) === quietly) last.delete(peer.host);
        });
      last.set(peer.host, quietly);
      return sent;
    },
    close: () => reader.store.close(),
  };
}

function sendTo(
  peer: SeedPeer,
  source: ImageSource,
  name: string,
  { store }: LayerReader,
  context: StepContext,
): Promise<number> {
  const { signal, progress } = context;
  return peer.withDaemon(signal, async ({ engine }) => {
    const send = async (present: number): Promise<number> => {
      const image = await source.read(source.layers.slice(present), context);
      return sendImage(engine, { image, names: [`${name}:latest`], present }, store, { signal, progress });
    };
    const present = await presentLayers(engine, source, signal);
    try {
      return await send(present);
    } catch (error) {
      // An image was removed meanwhile, or the daemon keeps images by containerd, which takes none in parts.
      if (present === 0 || !(error instanceof FabricError) || error.code !== "rejected") throw error;
      progress("the daemon wants all layers");
      return await send(0);
    }
  });
}
