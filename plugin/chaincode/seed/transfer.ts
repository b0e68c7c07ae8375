import { sendImage } from "../../docker/image-sending.ts";
import type { LayerStore } from "../../docker/layer-store.ts";
import { presentLayers } from "../../docker/present-layers.ts";
import { FabricError } from "../../error.ts";
import type { StepContext } from "../../steps/step.ts";
import type { ImageSource } from "./image-source.ts";
import type { SeedPeer } from "./seed-peer.ts";

/** Brings an image into a peer's daemon under a name, with only the layers that this daemon lacks. Gives the bytes sent. */
export function sendTo(
  peer: SeedPeer,
  source: ImageSource,
  name: string,
  store: LayerStore,
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
