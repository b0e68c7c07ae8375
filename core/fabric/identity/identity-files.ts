import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FabricError, messageOf } from "../../error.ts";

/** A file of an identity. */
export interface IdentityFile {
  readonly path: string;
  /** Empty when it could not be read. */
  readonly text: string;
  /** Why it could not be read. */
  readonly unread?: string;
}

/** Bytes of one file, and of all in a folder. A peer takes 64 KiB for a key (fabric-lib-go, bccsp/sw/fileks.go). */
const largest = 1024 * 1024;
const largestFolder = 16 * largest;

/**
 * The files in a folder by their names' order, as a peer reads them (msp/configbuilder.go, getPemMaterialFromDir): links are followed, folders
 * passed over, as `..data` of a mounted Secret; what cannot be read, or is too large for a certificate, is without text. A file in the
 * folder's place is all that there is. Undefined when there is nothing. Throws `usage` when the folder cannot be read.
 */
export async function filesIn(folder: string): Promise<readonly IdentityFile[] | undefined> {
  const kind = await kindOf(folder);
  if (kind === undefined) return undefined;
  if (kind === "file") return [await readIdentityFile(folder)];
  const names = (await unlessUnreadable(folder, readdir(folder))).toSorted((one, other) => (one < other ? -1 : 1));
  const files: IdentityFile[] = [];
  let left = largestFolder;
  for (const name of names) {
    const path = join(folder, name);
    if (await isFolder(path)) continue;
    const file = await readIdentityFile(path).catch((error: unknown) => ({ path, text: "", unread: messageOf(error) }));
    left -= file.text.length;
    files.push(left < 0 ? { path, text: "", unread: `expected at most 16 MiB in ${folder}, found more` } : file);
  }
  return files;
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** What is at a path; undefined for nothing. Throws `usage` when that cannot be told. */
export async function kindOf(path: string): Promise<"file" | "folder" | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw unreadable(path, error);
  });
  return found && (found.isDirectory() ? "folder" : "file");
}

/** Throws `usage` when it cannot be read, is no file, or too large. */
export async function readIdentityFile(path: string): Promise<IdentityFile> {
  const found = await unlessUnreadable(path, stat(path));
  // A pipe would be waited for.
  if (!found.isFile()) throw new FabricError("usage", `expected a file at ${path}, found something else`);
  if (found.size > largest)
    throw new FabricError("usage", `expected at most 1 MiB in ${path}, found ${found.size} bytes`);
  return { path, text: textOf(await unlessUnreadable(path, readFile(path))) };
}

/** PowerShell writes UTF-16. */
function textOf(bytes: Buffer): string {
  return bytes[0] === 0xff && bytes[1] === 0xfe ? bytes.toString("utf16le") : bytes.toString("utf8");
}

async function unlessUnreadable<T>(path: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw unreadable(path, error);
  }
}

const unreadable = (path: string, cause: unknown): FabricError =>
  new FabricError("usage", `cannot read ${path}: ${messageOf(cause)}`, { cause });
