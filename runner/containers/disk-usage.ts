import { lstatSync, opendirSync, type Dir, type Dirent } from "node:fs";
import { join } from "node:path";
import { setImmediate as pause } from "node:timers/promises";

/** Entries between two pauses for other work. Calls are synchronous: for cached entries a thread-pool call takes six times as long. */
const entriesATurn = 256;

const blockBytes = 512;
const leastBytes = 4096;

/**
 * Bytes on disk of a directory with everything in it, without following links; stops counting beyond `enough`. Each entry counts as at
 * least a block, so that millions of empty files count, too.
 */
export async function diskUsage(directory: string, enough: number): Promise<number> {
  let [bytes, entries] = [0, 0];
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined && bytes <= enough; path = waiting.pop()) {
    for (const entry of entriesOf(path)) {
      const child = join(path, entry.name);
      bytes += Math.max(leastBytes, blocksOf(child) * blockBytes);
      if (entry.isDirectory()) waiting.push(child);
      if (bytes > enough) break;
      if ((entries += 1) % entriesATurn === 0) await pause();
    }
  }
  return bytes;
}

/** Entries one by one, as there may be millions; none for a directory that is gone or cannot be read. */
function* entriesOf(path: string): Generator<Dirent> {
  const opened = attempt(() => opendirSync(path));
  if (opened === undefined) return;
  try {
    for (let entry = next(opened); entry !== undefined; entry = next(opened)) yield entry;
  } finally {
    opened.closeSync();
  }
}

const next = (directory: Dir): Dirent | undefined => attempt(() => directory.readSync()) ?? undefined;

const blocksOf = (path: string): number => attempt(() => lstatSync(path).blocks) ?? 0;

/** Undefined when chaincode has removed the file meanwhile. */
function attempt<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
