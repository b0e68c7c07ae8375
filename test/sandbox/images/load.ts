import { join } from "node:path";
import { FabricError } from "../../../core/error.ts";
import { CommandFailure, run } from "../command.ts";
import { exists, readMemory, writeMemory } from "../freshness.ts";
import type { Layout } from "../layout.ts";
import type { Progress } from "../progress.ts";
import type { KeptImage } from "./make.ts";

/** Brings an archive into the cluster's container runtime, under the names in the archive. */
export async function loadArchive(layout: Layout, archive: string, signal?: AbortSignal): Promise<void> {
  if (!(await exists(archive))) {
    throw new FabricError("not-found", `expected an image archive, found no file ${archive}`, {
      hint: "docker save IMAGE -o FILE.tar",
    });
  }
  try {
    await ctr(layout, ["images", "import", "--digests=false", archive], signal);
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new FabricError("invalid", `expected an archive as docker save makes it; ${error.message}`, {
      hint: "docker save IMAGE -o FILE.tar",
      cause: error,
    });
  }
}

/** Loads each image that is not loaded as it is now. */
export async function loadImages(
  layout: Layout,
  images: readonly KeptImage[],
  progress: Progress,
  signal?: AbortSignal,
): Promise<void> {
  const record = join(layout.containerd, "loaded.json");
  const [loaded, names] = await Promise.all([readMemory(record), loadedNames(layout, signal)]);
  for (const image of images) {
    if (loaded.get(image.name) === image.key && image.tags.every((tag) => names.has(tag))) continue;
    await loadArchive(layout, image.archive, signal);
    loaded.set(image.name, image.key);
    await writeMemory(record, loaded);
    progress.say(`loaded ${image.tags.join(", ")}`);
  }
}

/** Names of the images that the cluster can start. */
export async function loadedNames(layout: Layout, signal?: AbortSignal): Promise<ReadonlySet<string>> {
  return new Set((await ctr(layout, ["images", "ls", "-q"], signal)).trim().split("\n"));
}

function ctr(layout: Layout, args: readonly string[], signal?: AbortSignal): Promise<string> {
  return run(join(layout.bin, "ctr"), ["-a", layout.containerdSocket, "-n", "k8s.io", ...args], { signal });
}
