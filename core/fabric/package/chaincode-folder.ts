import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { FabricError } from "../../error.ts";

/** A file below a folder. */
export interface FolderFile {
  /** Relative, with "/". */
  readonly path: string;
  /** The absolute path of its content. Links are resolved. */
  readonly file: string;
}

/**
 * Whether to take the file or folder at a relative path; false for a folder leaves out everything below it. `origin` is the target of
 * links, as a relative path: without links, `path`.
 */
export type LinkFilter = (path: string, kind: "file" | "folder", origin: string) => boolean;

/**
 * The regular files below a folder, sorted. Symbolic links become what they point at, as long as that is inside the
 * folder: a package has no links. Throws `usage` for a link that leaves the folder or leads to a folder above itself.
 */
export async function folderFiles(folder: string, filter: LinkFilter): Promise<readonly FolderFile[]> {
  const root = await realRoot(folder);
  const files: FolderFile[] = [];
  await walk({ root, filter, files }, root, "", [root]);
  return files.sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** Reads a file, or undefined when there is none. */
export async function readFileIfAny(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    // A folder of that name is no such file, nor is one below a file, nor a link to itself.
    if (["ENOENT", "EISDIR", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return undefined;
    throw error;
  }
}

interface Walk {
  readonly root: string;
  readonly filter: LinkFilter;
  readonly files: FolderFile[];
}

async function walk(state: Walk, folder: string, prefix: string, above: readonly string[]): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = `${prefix}${entry.name}`;
    const file = join(folder, entry.name);
    const target = entry.isSymbolicLink() ? await linkTarget(path, file) : file;
    const kind = kindOf(entry.isSymbolicLink() ? await stat(target) : entry);
    const origin = relative(state.root, target).split(sep).join("/");
    if (kind === undefined || !state.filter(path, kind, origin)) continue;
    checkInside(state, path, target);
    if (kind === "file") state.files.push({ path, file: target });
    else if (!above.includes(target)) await walk(state, target, `${path}/`, [...above, target]);
    else throw new FabricError("usage", `expected folders to end, found the link ${path} back to where it is`);
  }
}

async function linkTarget(path: string, file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch (cause) {
    throw new FabricError("usage", `expected ${path} to point at something, found a dangling link`, { cause });
  }
}

function checkInside({ root }: Walk, path: string, target: string): void {
  if (target.startsWith(root + sep) || target === root) return;
  throw new FabricError("usage", `expected links inside ${root}, found ${path} -> ${relative(root, target)}`, {
    hint: "copy what it points at into the folder (npm: npm ci --install-links)",
  });
}

interface Kind {
  isFile(): boolean;
  isDirectory(): boolean;
}

function kindOf(entry: Kind): "file" | "folder" | undefined {
  if (entry.isFile()) return "file";
  return entry.isDirectory() ? "folder" : undefined;
}

/** Throws `usage` unless it is a folder. */
export async function checkFolder(folder: string): Promise<void> {
  await realRoot(folder);
}

async function realRoot(folder: string): Promise<string> {
  try {
    const root = await realpath(folder);
    if ((await stat(root)).isDirectory()) return root;
  } catch (cause) {
    throw new FabricError("usage", `expected a folder of chaincode, found no ${folder}`, { cause });
  }
  throw new FabricError("usage", `expected a folder of chaincode, found the file ${folder}`);
}
