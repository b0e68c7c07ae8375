import { opendirSync, statSync } from "node:fs";
import { setImmediate as pause } from "node:timers/promises";

const blockBytes = 512;
const filesATurn = 256;
/** The limit of files for one container and look: further ones are not counted. */
const mostFiles = 100_000;

/**
 * Bytes on disk of files without a name that processes have open; stops counting beyond `enough`. Not seen: files of a process that hides
 * its descriptors (prctl PR_SET_DUMPABLE), files that are mapped but closed, and files beyond `mostFiles`.
 */
export async function unlinkedBytes(pids: readonly number[], enough: number): Promise<number> {
  const seen = new Set<string>();
  let [bytes, files] = [0, 0];
  for (const pid of pids) {
    for (const path of descriptorsOf(pid)) {
      const found = attempt(() => statSync(path));
      if (found?.isFile() === true && found.nlink === 0 && !seen.has(`${found.dev}:${found.ino}`)) {
        seen.add(`${found.dev}:${found.ino}`);
        bytes += found.blocks * blockBytes;
      }
      if (bytes > enough || files === mostFiles) return bytes;
      if ((files += 1) % filesATurn === 0) await pause();
    }
  }
  return bytes;
}

/** Descriptors one by one: a process may have tens of thousands, and there may be hundreds of processes. */
function* descriptorsOf(pid: number): Generator<string> {
  const path = `/proc/${pid}/fd`;
  const opened = attempt(() => opendirSync(path));
  if (opened === undefined) return;
  try {
    for (let entry = attempt(() => opened.readSync()); entry; entry = attempt(() => opened.readSync()))
      yield `${path}/${entry.name}`;
  } finally {
    opened.closeSync();
  }
}

/** Undefined where the process has ended or closed the file meanwhile. */
function attempt<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
