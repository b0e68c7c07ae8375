import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Bytes on disk of a directory with everything in it, no link followed; counting ends beyond `enough`. Each entry counts for at least a
 * block, so that millions of empty files count, too.
 */
export async function diskUsage(directory: string, enough: number): Promise<number> {
  let bytes = 0;
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined && bytes <= enough; path = waiting.pop()) {
    const entries = await opendir(path).catch(() => undefined);
    if (entries === undefined) continue;
    for await (const entry of entries) {
      const child = join(path, entry.name);
      const about = await lstat(child).catch(() => undefined);
      bytes += Math.max(4096, (about?.blocks ?? 0) * 512);
      if (entry.isDirectory()) waiting.push(child);
      if (bytes > enough) break;
    }
  }
  return bytes;
}
