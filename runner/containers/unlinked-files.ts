import { readdirSync, statSync } from "node:fs";
import { setImmediate as pause } from "node:timers/promises";

const BLOCK = 512;
const FILES_A_TURN = 256;

/**
 * Bytes on disk of files that processes have open and no name leads to any more; counting ends beyond `enough`. Not seen: those of a process that
 * shows its descriptors to nobody (prctl PR_SET_DUMPABLE), and what is mapped and closed.
 */
export async function unlinkedBytes(pids: readonly number[], enough: number): Promise<number> {
  const seen = new Set<string>();
  let [bytes, files] = [0, 0];
  for (const path of pids.flatMap(descriptorsOf)) {
    const found = attempt(() => statSync(path));
    if (found?.isFile() === true && found.nlink === 0 && !seen.has(`${found.dev}:${found.ino}`)) {
      seen.add(`${found.dev}:${found.ino}`);
      bytes += found.blocks * BLOCK;
    }
    if (bytes > enough) break;
    if ((files += 1) % FILES_A_TURN === 0) await pause();
  }
  return bytes;
}

function descriptorsOf(pid: number): readonly string[] {
  const directory = `/proc/${pid}/fd`;
  return (attempt(() => readdirSync(directory)) ?? []).map((name) => `${directory}/${name}`);
}

/** Undefined where the process has ended or closed the file meanwhile. */
function attempt<Result>(look: () => Result): Result | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
