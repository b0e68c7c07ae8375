import { eachBounded } from "../engine/bounded.ts";
import type { Engine } from "./engine.ts";
import { inspectImage, type ImageSummary } from "./images.ts";

/** Images asked for at once: each call under way is an exec of its own. */
const connections = 4;

/**
 * When images came into a daemon: image ID -> the time at which it gave the image a name, else at which it built the image. Of others
 * nothing is known, and they are left out: `Created` is part of an image and comes along from wherever that was made, and loading notes
 * no time (moby image/tarexport/load.go, daemon/images/image_tag.go; the same seen in 20.10.24 and 28.5.2).
 */
export async function imageArrivals(
  engine: Engine,
  images: readonly Pick<ImageSummary, "Id" | "Created" | "ParentId">[],
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, Date>> {
  const found = await eachBounded(images, connections, async ({ Id, Created, ParentId }) => {
    const tagged = taggedAt((await inspectImage(engine, Id, signal))?.Metadata?.LastTagTime);
    return [Id, tagged ?? (ParentId ? new Date(Created * 1000) : undefined)] as const;
  });
  return new Map(found.flatMap(([id, time]) => (time ? [[id, time] as const] : [])));
}

/** Go writes the time that never was as the year 1. */
function taggedAt(time: string | undefined): Date | undefined {
  const date = new Date(time ?? "");
  return date.getTime() > 0 ? date : undefined;
}
