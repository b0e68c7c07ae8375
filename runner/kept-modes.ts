import { chmod, stat } from "node:fs/promises";
import type { Log } from "../core/process/log.ts";

const permissionBits = 0o777;

/** Path -> mode of files whose mode must not change; a directory comes before its contents. */
export type KeptModes = ReadonlyMap<string, number>;

/** The present modes. */
export async function modesOf(paths: readonly string[]): Promise<KeptModes> {
  const modes = await Promise.all(paths.map(async (path) => [path, (await stat(path)).mode & permissionBits] as const));
  return new Map(modes);
}

/** Restores modes. A build runs as our user and may change the mode of a path that it knows, so that peers or we could not open it. */
export async function keepModes(kept: KeptModes, log: Log): Promise<void> {
  for (const [path, mode] of kept) {
    const found = (await stat(path).catch(() => undefined))?.mode;
    if (found === undefined || (found & permissionBits) === mode) continue;
    log.warn("a mode was changed, and is put right", { path, mode: (found & permissionBits).toString(8) });
    await chmod(path, mode).catch(() => undefined);
  }
}
