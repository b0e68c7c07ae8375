import { createWriteStream, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ApiError } from "../api-error.ts";
import { newBudget, type ArchiveLimits } from "./budget.ts";
import { entryKind, entryMode, entryPath } from "./entry.ts";
import { entryBytes, readArchive } from "./read.ts";

/**
 * Unpacks an archive into `target` ("chaincode/input") below a root directory. Follows no link, neither of the archive nor an existing
 * one, and writes nothing outside of the root. Throws ApiError 400 for entries that no archive of Fabric has.
 */
export async function unpack(source: Readable, root: string, target: string, limits: ArchiveLimits): Promise<void> {
  const known = new Set<string>();
  makeDirectory(root, entryPath(target), known);
  await readArchive(source, newBudget(limits), async (entry) => {
    const { header } = entry;
    const kind = entryKind(header);
    const path = entryPath(`${target}/${header.name}`);
    if (kind === "directory") {
      makeDirectory(root, path, known);
      entry.resume();
      return;
    }
    if (entryPath(header.name) === "") throw new ApiError(400, "archive refused: expected a name, found none");
    makeDirectory(root, parentOf(path), known);
    const file = join(root, path);
    const place = (make: () => void): void => {
      try {
        make();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        clear(file, path, known);
        make();
      }
    };
    const mode = entryMode(header.mode);
    if (kind === "symlink") {
      place(() => symlinkSync(header.linkname ?? "", file));
      entry.resume();
    } else if (header.size !== undefined && header.size <= smallBytes) {
      const content = await entryBytes(entry);
      place(() => writeFileSync(file, content, { flag: "wx", mode }));
    } else {
      clear(file, path, known);
      await pipeline(entry, createWriteStream(file, { flags: "wx", mode }));
    }
  });
}

function parentOf(path: string): string {
  const parent = dirname(path);
  return parent === "." ? "" : parent;
}

/** Chaincode has thousands of small files: for each, a thread-pool call takes longer than the writing. */
const smallBytes = 256 * 1024;

/** Removes the file of an earlier entry, so that a later one replaces it. Throws ApiError 400 for a directory. */
function clear(file: string, path: string, known: ReadonlySet<string>): void {
  if (known.has(path))
    throw new ApiError(400, `archive refused: expected one entry of the name ${path}, found two kinds`);
  rmSync(file, { force: true });
}

/** Makes a directory and its parents. Throws ApiError 400 when one exists and is no directory: a link would lead elsewhere. */
function makeDirectory(root: string, path: string, known: Set<string>): void {
  if (path === "" || known.has(path)) return;
  makeDirectory(root, parentOf(path), known);
  const directory = join(root, path);
  const found = lstatSync(directory, { throwIfNoEntry: false });
  if (found === undefined) mkdirSync(directory, { mode: 0o755 });
  else if (!found.isDirectory()) {
    throw new ApiError(400, `archive refused: expected a directory ${path}, found something else`);
  }
  known.add(path);
}
