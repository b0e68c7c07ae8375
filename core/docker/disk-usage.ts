import type { ContainerSummary } from "./containers.ts";
import type { Engine } from "./engine.ts";
import type { ImageSummary } from "./images.ts";

/** The images, containers and build cache of a daemon, with their sizes (GET /system/df). */
export interface DiskUsage {
  /** Images with a name, and images on which no other image is built. */
  readonly images: readonly (ImageSummary & {
    /** Bytes that other images use, too; -1 when the daemon did not count. */
    readonly SharedSize: number;
  })[];
  /** All, also those that have ended. */
  readonly containers: readonly (ContainerSummary & {
    /** Its command, in one line. */
    readonly Command: string;
    /** Bytes that it has written. */
    readonly SizeRw?: number;
  })[];
  readonly buildCache: readonly BuildCacheRecord[];
}

interface BuildCacheRecord {
  readonly ID: string;
  readonly Size: number;
  readonly InUse: boolean;
  /** RFC 3339 */
  readonly CreatedAt: string;
  readonly LastUsedAt?: string | null;
}

interface SystemDf {
  readonly Images?: DiskUsage["images"] | null;
  readonly Containers?: DiskUsage["containers"] | null;
  readonly BuildCache?: readonly BuildCacheRecord[] | null;
}

/** Leaves volumes out if the daemon can (API 1.42): measuring them takes long, and no chaincode has any. */
export async function diskUsage(engine: Engine, signal?: AbortSignal): Promise<DiskUsage> {
  const path = "/system/df?type=image&type=container&type=build-cache";
  const { Images, Containers, BuildCache } = (await engine.call({ method: "GET", path, signal })) as SystemDf;
  return { images: Images ?? [], containers: Containers ?? [], buildCache: BuildCache ?? [] };
}

/** Removes BuildKit's cache that was not used for so many seconds; returns the bytes freed. */
export async function pruneBuildCache(engine: Engine, unusedSeconds: number, signal?: AbortSignal): Promise<number> {
  const query = { all: true, filters: JSON.stringify({ until: [`${Math.floor(unusedSeconds)}s`] }) };
  const answer = await engine.call({ method: "POST", path: "/build/prune", query, signal });
  return (answer as { readonly SpaceReclaimed?: number } | undefined)?.SpaceReclaimed ?? 0;
}
