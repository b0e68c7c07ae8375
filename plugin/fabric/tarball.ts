import { gunzip } from "node:zlib";
import { promisify } from "node:util";
import { gzipSync } from "fflate";
import { extract, pack } from "tar-stream";
import { FabricError } from "../error.ts";

/** A regular file of an archive; its name is a path with "/". */
export interface ArchiveFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * A tar.gz that depends on nothing but names and contents: entries sorted, times zero, owner and mode fixed
 * (uid 500 as the peer command gives, core/chaincode/platforms/util/writer.go), and compressed by fflate, which is plain
 * JavaScript: zlib's bytes differ between its builds and processors, and with them a package ID.
 * Level 0 only stores, for what is compressed already.
 */
export async function packTarball(
  files: readonly ArchiveFile[],
  { level = 6 }: { readonly level?: 0 | 6 } = {},
): Promise<Uint8Array> {
  const archive = pack();
  for (const { name, content } of [...files].sort((left, right) => compare(left.name, right.name))) {
    archive.entry(
      { name, size: content.length, mode: 0o644, mtime: new Date(0), uid: 500, gid: 500 },
      Buffer.from(content),
    );
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return gzipSync(Buffer.concat(chunks), { mtime: 0, level });
}

/** The regular files of a tar.gz. Throws `invalid` when it is none, or has other entries than files and folders. */
export async function unpackTarball(bytes: Uint8Array, what: string): Promise<readonly ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  try {
    const reader = extract();
    reader.end(await promisify(gunzip)(bytes));
    for await (const entry of reader) {
      const { name, type } = entry.header;
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
      if (type === "file") files.push({ name, content: Buffer.concat(chunks) });
      else if (type !== "directory")
        throw new FabricError("invalid", `expected files in ${what}, found ${name}, a ${type}`);
    }
  } catch (cause) {
    if (cause instanceof FabricError) throw cause;
    throw new FabricError("invalid", `expected ${what} to be a tar.gz archive, found something else`, { cause });
  }
  return files;
}

/** By code units: the same everywhere, whatever the language of the machine. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** What stands in an archive, whether a package may have it or not. */
export interface ArchiveEntry {
  readonly name: string;
  /** "file", "directory", "symlink" ... */
  readonly kind: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** Every entry of a tar.gz, without its content. Throws `invalid` when it is none. */
export async function listTarball(bytes: Uint8Array, what: string): Promise<readonly ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  try {
    const reader = extract();
    reader.end(await promisify(gunzip)(bytes));
    for await (const entry of reader) {
      const { name, type, size, mode } = entry.header;
      entries.push({ name, kind: type, size, mode });
      entry.resume();
    }
  } catch (cause) {
    throw new FabricError("invalid", `expected ${what} to be a tar.gz archive, found something else`, { cause });
  }
  return entries;
}
