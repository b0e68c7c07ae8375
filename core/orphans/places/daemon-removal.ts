import { removeContainer } from "../../docker/containers.ts";
import { pruneBuildCache } from "../../docker/disk-usage.ts";
import type { Engine } from "../../docker/engine.ts";
import { removeImage } from "../../docker/images.ts";
import type { Finding } from "../judgement/finding.ts";
import { grace, type AgeLimit } from "../judgement/judgement.ts";

/** Removes a thing from a daemon; false when it was gone already. Throws `conflict` for an image that a container uses. */
export async function removeFromDaemon(
  engine: Engine,
  { kind, name, id }: Finding,
  { olderThan }: AgeLimit,
  signal: AbortSignal,
): Promise<boolean> {
  if (kind === "build cache") return (await pruneBuildCache(engine, olderThan ?? grace, signal)) > 0;
  if (kind === "image") return removeImage(engine, name, signal);
  return removeContainer(engine, id ?? name, signal);
}
