import { constants, createReadStream, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";

/** The header of a new entry. */
export type Header = Parameters<Pack["entry"]>[0];

/**
 * A directory or file as a tar archive, its names beginning with `name`: Docker's answer to GET /containers/{id}/archive. Links are
 * packed as links; sockets, FIFOs and devices are left out.
 */
export function packTree(path: string, name: string): Readable {
  const archive = pack();
  add(archive, path, name).then(
    () => archive.finalize(),
    (error: unknown) => archive.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return Readable.from(archive);
}

async function add(archive: Pack, path: string, name: string): Promise<void> {
  const about = lstatSync(path);
  const header = { name, mode: about.mode & 0o777, mtime: about.mtime };
  if (about.isSymbolicLink()) {
    await addHeader(archive, { ...header, type: "symlink", linkname: readlinkSync(path) });
  } else if (about.isFile()) {
    await addFile(archive, path, header, about.size);
  } else if (about.isDirectory()) {
    await addHeader(archive, { ...header, name: `${name}/`, type: "directory" });
    for (const child of readdirSync(path).sort()) await add(archive, join(path, child), `${name}/${child}`);
  }
}

/** For small files, a thread-pool call takes longer than the reading. */
const smallBytes = 256 * 1024;

/** Does not follow a link that replaced the file since `lstat`. */
const flags = constants.O_RDONLY | constants.O_NOFOLLOW;

async function addFile(archive: Pack, path: string, header: Header, size: number): Promise<void> {
  if (size <= smallBytes) await addBytes(archive, header, readFileSync(path, { flag: flags as unknown as string }));
  else
    await addContent(
      archive,
      { ...header, size },
      createReadStream(path, { flags: flags as unknown as string, end: size - 1 }),
    );
}

/** Adds an entry without content. */
export function addHeader(archive: Pack, header: Header): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, (error) => (error ? reject(error) : resolve()));
  });
}

/** Adds an entry with its whole content. */
export function addBytes(archive: Pack, header: Header, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    archive.entry(header, content, (error) => (error ? reject(error) : resolve()));
  });
}

/** Adds an entry whose content has the size of its header. */
export async function addContent(archive: Pack, header: Header, content: AsyncIterable<unknown>): Promise<void> {
  const entry = archive.entry(header);
  await pipeline(content, entry as unknown as Writable);
}

/** Docker's name of the top entry for a requested path: "output/." gives the content without the directory `output`. */
export function topName(path: string): string {
  return /(^|\/)\.$/.test(path) ? "." : basename(path) || ".";
}
