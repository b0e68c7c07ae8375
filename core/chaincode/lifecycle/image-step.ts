import { basename } from "node:path";
import { inspectImage, loadImageFile } from "../../docker/images.ts";
import { hostOf, type FabricNode } from "../../network/resources/nodes.ts";
import type { ActingStep } from "../../engine/step.ts";
import { withDaemon } from "../daemon/daemon.ts";
import type { Deployment, Target } from "../deployment/deployment.ts";
import { archivedImages, type ArchivedImage } from "../image/image-archive.ts";
import { checkPunctual } from "../deployment/late-peer.ts";

/** A peer's daemon has the images of an archive. */
export async function imageStep(
  { network }: Pick<Deployment, "network">,
  target: Pick<Target, "late">,
  node: FabricNode,
  file: string,
): Promise<ActingStep> {
  const images = await archivedImages(file);
  const wanted = images.flatMap(({ id, names }) => (names.length > 0 ? names : [id]).map((name) => ({ name, id })));
  return {
    id: `image/${basename(file)}/${hostOf(node)}`,
    title: `${hostOf(node)} has the images of ${basename(file)}`,
    after: [],
    async observe({ signal }) {
      await checkPunctual(network, target, node, signal);
      return withDaemon(network, node, signal, async (engine) => {
        const found = await Promise.all(wanted.map(({ name }) => inspectImage(engine, name, signal)));
        const missing = wanted.filter(({ id }, index) => found[index]?.Id !== id);
        return missing.length === 0 ? { is: "so" } : { is: "differs", change: listed(images) };
      });
    },
    act: ({ signal, progress }) =>
      withDaemon(network, node, signal, async (engine) => {
        await loadImageFile(engine, file, { signal, progress });
      }),
  };
}

function listed(images: readonly ArchivedImage[]): string {
  return images.flatMap(({ id, names }) => (names.length > 0 ? names : [id])).join(", ");
}
