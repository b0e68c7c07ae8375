import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { cp, mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ArchiveLimits } from "../archive/budget.ts";
import { unpack } from "../archive/unpack.ts";
import type { Toolchain } from "../toolchain.ts";
import { chmodTree } from "./chmod-tree.ts";

/** The kinds of directories in the state: of a container, prepared for the next container, or to be removed. */
const rootKinds = ["container", "spare", "gone"] as const;
type Kind = (typeof rootKinds)[number];

/** A new path that cannot be guessed: chaincode runs as our own user, and Landlock does not restrict `stat` of a known name. */
export function newRoot(directory: string, kind: Kind): string {
  return join(directory, `${kind}-${randomBytes(16).toString("hex")}`);
}

/** Removes all these directories. */
export async function removeRoots(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (rootKinds.some((kind) => name.startsWith(`${kind}-`))) await removeTree(join(directory, name));
  }
}

export interface RootContents {
  readonly toolchain: Toolchain;
  /** Tar files, the lowest first. */
  readonly layers: readonly string[];
  readonly limits: ArchiveLimits;
  readonly signal?: AbortSignal;
}

/** Makes a container's directory, with the toolchain's files and the image's layers. */
export async function furnishRoot(root: string, { toolchain, layers, limits, signal }: RootContents): Promise<void> {
  await mkdir(root, { mode: 0o700 });
  for (const path of ["tmp", "chaincode/input", "chaincode/output", "usr/local/bin", "usr/local/src", "etc"]) {
    await mkdir(join(root, path), { recursive: true });
  }
  await cp(toolchain.files, root, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  for (const file of layers) {
    await unpack(createReadStream(file, signal === undefined ? {} : { signal }), root, "/", limits);
  }
}

/** Renames a directory, so that its old path is gone at once; returns the path where it stays until it is removed. */
export async function discardRoot(root: string): Promise<string> {
  const gone = newRoot(dirname(root), "gone");
  try {
    await rename(root, gone);
    return gone;
  } catch {
    return root;
  }
}

/** Removes a directory tree, also one with directories that a program has made unreadable. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await chmodTree(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
