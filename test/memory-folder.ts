import { existsSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { mountsBelow } from "./sandbox/teardown.ts";

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

/** Not where somebody who was killed has left a mount: what is mounted there may be anything. Nor what is another user's. */
function remove(path: string): void {
  if (mountsBelow(readFileSync("/proc/mounts", "utf8"), [path]).length > 0) return;
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // The tests do without.
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
  return names.filter((name) => name.startsWith(prefix) && !existsSync(`/proc/${name.slice(prefix.length)}`));
}
