import { existsSync, readdirSync, rmSync, statfsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/** The tmpfs that Linux has for shared memory. */
const memory = "/dev/shm";
// Short: the paths of sockets end after 107 characters.
const prefix = "kf-test-";

/** Bytes: what files of tests that run side by side take at the most, with room. */
const needed = 6 * 2 ** 30;

let folder: string | undefined;

/**
 * Before any test: temporary folders are in memory where there is room, unless somebody has chosen a place. Docker daemons unpack and
 * remove tens of thousands of files there.
 */
export async function setup(): Promise<void> {
  for (const name of leftBehind()) remove(join(memory, name));
  if (process.env["TMPDIR"] !== undefined || !hasRoom()) return;
  folder = join(memory, `${prefix}${process.pid}`);
  process.once("exit", teardown);
  await mkdir(folder, { recursive: true });
  process.env["TMPDIR"] = folder;
}

export function teardown(): void {
  if (folder !== undefined) remove(folder);
}

function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // Somebody who was killed has left a mount there: it goes when the machine does.
  }
}

function hasRoom(): boolean {
  try {
    const { bavail, bsize } = statfsSync(memory);
    return Math.min(bavail * bsize, process.availableMemory() / 2) >= needed;
  } catch {
    return false; // not Linux
  }
}

/** Folders of processes that are no more. */
function leftBehind(): readonly string[] {
  const names = existsSync(memory) ? readdirSync(memory) : [];
  return names.filter((name) => name.startsWith(prefix) && !lives(Number(name.slice(prefix.length))));
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
