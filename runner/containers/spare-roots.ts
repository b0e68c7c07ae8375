import { setTimeout as sleep } from "node:timers/promises";
import { rename } from "node:fs/promises";
import type { ArchiveLimits } from "../archive/budget.ts";
import type { Image, ImageStore } from "../images/image-store.ts";
import type { Toolchain } from "../toolchain.ts";
import { reasonOf, type Log } from "../../core/process/log.ts";
import { furnishRoot, newRoot, removeTree } from "./container-root.ts";
import { diskUsage } from "./disk-usage.ts";

/**
 * Directories prepared for the next containers of started images. A peer makes a new container for each start (dockercontroller.go,
 * Start), and unpacking thousands of files is most of the time until chaincode answers. Each directory is unpacked from the image
 * anew, and no process can reach it before: changes that a chaincode made to its files are not in the next one's.
 */
export interface SpareRoots {
  /** Moves the directory of an image to `root`; false when there is none. Waits for one that is being made. */
  take(image: Image, root: string): Promise<boolean>;
  /** Prepares a directory for an image, after `delay`. */
  want(image: Image, toolchain: Toolchain): void;
  /** Removes directories whose images are gone, and others while the quota is exceeded. */
  trim(): void;
  /** Bytes on disk. */
  used(): number;
  close(): Promise<void>;
}

export interface SpareSettings {
  readonly directory: string;
  readonly store: Pick<ImageStore, "find" | "layerFiles">;
  readonly limits: ArchiveLimits;
  /** Bytes that all prepared directories may have at this moment. */
  readonly quota: () => number;
  /** Milliseconds that a started chaincode gets before the next directory is made. */
  readonly delay: number;
  readonly log: Log;
}

interface Spare {
  readonly root: string;
  readonly bytes: number;
}

export function newSpareRoots(settings: SpareSettings): SpareRoots {
  const { directory, store, limits, quota, delay, log } = settings;
  const ending = new AbortController();
  const { signal } = ending;
  const ready = new Map<string, Spare>();
  const wanted = new Set<string>();
  const making = new Map<string, Promise<void>>();
  /** The last of the preparations, which run one after the other, as there are few processors. */
  let last: Promise<void> = Promise.resolve();
  const removals = new Set<Promise<void>>();

  const used = () => [...ready.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const remove = (root: string): void => {
    const removal = removeTree(root)
      .catch((error: unknown) => log.warn("cannot remove a directory", { reason: reasonOf(error) }))
      .finally(() => removals.delete(removal));
    removals.add(removal);
  };
  const drop = (id: string): void => {
    const spare = ready.get(id);
    if (spare !== undefined && ready.delete(id)) remove(spare.root);
  };

  const make = async (image: Image, toolchain: Toolchain): Promise<void> => {
    if (signal.aborted || ready.has(image.id) || store.find(image.id) === undefined) return;
    if (image.size > quota() - used()) return;
    const root = newRoot(directory, "spare");
    try {
      await furnishRoot(root, { toolchain, layers: store.layerFiles(image), limits, signal });
      const bytes = await diskUsage(root, Infinity);
      // No await from here on: `trim` may not run between the check and the entry.
      if (!signal.aborted && store.find(image.id) !== undefined && bytes <= quota() - used()) {
        ready.set(image.id, { root, bytes });
        return;
      }
    } catch (error) {
      if (!signal.aborted) log.warn("cannot prepare the next start", { image: image.id, reason: reasonOf(error) });
    }
    remove(root);
  };

  return {
    take: async ({ id }, root) => {
      await making.get(id);
      const spare = ready.get(id);
      if (spare === undefined || !ready.delete(id)) return false;
      try {
        await rename(spare.root, root);
        return true;
      } catch (error) {
        log.warn("cannot take what was prepared", { image: id, reason: reasonOf(error) });
        remove(spare.root);
        return false;
      }
    },
    want: (image, toolchain) => {
      const { id } = image;
      if (wanted.has(id) || ready.has(id) || signal.aborted) return;
      wanted.add(id);
      const due = sleep(delay, undefined, { signal, ref: false }).catch(() => undefined);
      const before = last;
      last = due
        .then(() => before)
        .then(() => {
          const work = make(image, toolchain);
          making.set(id, work);
          return work;
        })
        .finally(() => {
          wanted.delete(id);
          making.delete(id);
        });
    },
    trim: () => {
      for (const id of ready.keys()) if (store.find(id) === undefined) drop(id);
      for (const id of ready.keys()) if (used() > quota()) drop(id);
    },
    used,
    close: async () => {
      ending.abort();
      await last;
      for (const id of ready.keys()) drop(id);
      await Promise.all(removals);
    },
  };
}
