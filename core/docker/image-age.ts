import { eachBounded } from "../engine/bounded.ts";
import type { Engine } from "./engine.ts";
import { inspectImage, type ImageSummary } from "./images.ts";

/** Images asked for at once: each call under way is an exec of its own. */
const connections = 4;

/**
 * When images came into a daemon: image ID -> the time when the daemon tagged the image, else when it built it. Other images are left out,
 * for their time is unknown: `Created` is part of an image and is the time of its build anywhere, and the daemon stores no time when it
 * loads one (moby image/tarexport/load.go, daemon/images/image_tag.go; the same seen in 20.10.24 and 28.5.2).
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

/** Go writes an unset time as the year 1. */
function taggedAt(time: string | undefined): Date | undefined {
  const date = new Date(time ?? "");
  return date.getTime() > 0 ? date : undefined;
}
