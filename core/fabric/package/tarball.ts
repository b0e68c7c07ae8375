import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { gzipSync } from "fflate";
import { extract, pack } from "tar-stream";
import { FabricError } from "../../error.ts";

/** A regular file of an archive; its name is a path with "/". */
export interface ArchiveFile {
  readonly name: string;
  readonly content: Uint8Array;
}

/**
 * A tar.gz that depends on names and contents alone: entries sorted, times zero, owner and mode fixed
 * (uid 500 as the peer command gives, core/chaincode/platforms/util/writer.go), and compressed by fflate, which is plain
 * JavaScript: zlib's bytes differ between its builds and processors, and with them a package ID.
 * Level 0 only stores, for contents that are compressed already.
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

/** The regular files of a tar.gz. Throws `invalid` when it is none, is too large, or has other entries than files and folders. */
export async function unpackTarball(bytes: Uint8Array, what: string): Promise<readonly ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  await readTarball(bytes, what, async (entry) => {
    const { name, type } = entry.header;
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
    if (type === "file") files.push({ name, content: Buffer.concat(chunks) });
    else if (type !== "directory")
      throw new FabricError("invalid", `expected files in ${what}, found ${name}, a ${type}`);
  });
  return files;
}

type TarEntry = ReturnType<typeof extract> extends AsyncIterable<infer Found> ? Found : never;

/** Limits above the size of any chaincode. */
const mostBytes = 1024 * 1024 * 1024;
const mostEntries = 500_000;
/** Code shrinks to a tenth or a twentieth. An archive that grows a hundredfold was made to fill the reader's memory. */
const mostGrowth = 100;
const alwaysAllowed = 16 * 1024 * 1024;

/** Reads entry by entry. The limits are checked before an entry is kept. */
async function readTarball(bytes: Uint8Array, what: string, use: (entry: TarEntry) => Promise<void>): Promise<void> {
  const most = Math.min(mostBytes, Math.max(alwaysAllowed, bytes.length * mostGrowth));
  const tooLarge = (found: string): FabricError =>
    new FabricError("invalid", `expected at most ${found} in ${what} of ${bytes.length} bytes, found more`);
  const tar = extract();
  let unpacked = 0;
  const counted = async function* (source: AsyncIterable<Uint8Array>) {
    for await (const chunk of source) {
      unpacked += chunk.length;
      if (unpacked > most) throw tooLarge(`${most} bytes`);
      yield chunk;
    }
  };
  const entries = async (): Promise<void> => {
    let count = 0;
    for await (const entry of tar) {
      if (++count > mostEntries) throw tooLarge(`${mostEntries} entries`);
      await use(entry);
    }
  };
  const unpacking = pipeline(Readable.from([bytes]), createGunzip(), counted, tar as unknown as Writable);
  const ends = await Promise.allSettled([entries(), unpacking]);
  // When one fails, the other fails with it: our own error is the reason.
  const reasons: unknown[] = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  const [cause] = reasons;
  const own = reasons.find((reason) => reason instanceof FabricError);
  if (own !== undefined) throw own;
  if (cause !== undefined)
    throw new FabricError("invalid", `expected ${what} to be a tar.gz archive, found something else`, { cause });
}

/** Compares code units, so that the order does not depend on the machine's language. */
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** An entry of an archive, of any kind. */
export interface ArchiveEntry {
  readonly name: string;
  /** "file", "directory", "symlink" ... */
  readonly kind: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** Every entry of a tar.gz, without its content. Throws `invalid` when it is none, or is too large. */
export async function listTarball(bytes: Uint8Array, what: string): Promise<readonly ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  await readTarball(bytes, what, async (entry) => {
    const { name, type, size, mode } = entry.header;
    entries.push({ name, kind: type, size, mode });
    for await (const _ of entry as AsyncIterable<Uint8Array>);
  });
  return entries;
}
