import { chmod, stat } from "node:fs/promises";
import type { Log } from "../core/process/log.ts";

const permissionBits = 0o777;

/** Modes of files that are to stay as they are, by path: a directory before what is in it. */
export type KeptModes = ReadonlyMap<string, number>;

/** Modes as they are now. */
export async function modesOf(paths: readonly string[]): Promise<KeptModes> {
  const modes = await Promise.all(paths.map(async (path) => [path, (await stat(path)).mode & permissionBits] as const));
  return new Map(modes);
}

/** A build runs as our user and may change modes of what it knows by name: what peers, or we, could not open then is put right. */
export async function keepModes(kept: KeptModes, log: Log): Promise<void> {
  for (const [path, mode] of kept) {
    const found = (await stat(path).catch(() => undefined))?.mode;
    if (found === undefined || (found & permissionBits) === mode) continue;
    log.warn("a mode was changed, and is put right", { path, mode: (found & permissionBits).toString(8) });
    await chmod(path, mode).catch(() => undefined);
  }
}
