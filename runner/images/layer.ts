import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { pack, type Pack } from "tar-stream";
import { ApiError } from "../api-error.ts";
import { newBudget, type ArchiveLimits } from "../archive/budget.ts";
import { entryKind, entryMode, entryPath } from "../archive/entry.ts";
import { addBytes, addContent, addHeader } from "../archive/pack.ts";
import { entryBytes, readArchive } from "../archive/read.ts";

/** Paths of chaincode in Fabric's Dockerfiles (platforms/golang, node, java: GenerateDockerfile). Other files of an image are not used. */
const chaincodeEntry = /^(usr\/local\/src(\/|$)|usr\/local\/bin\/chaincode$|root\/chaincode-java\/chaincode(\/|$))/;

/** A part of a layer: an archive, and the directory for its entries. */
export interface LayerSource {
  readonly archive: Readable;
  readonly directory: string;
  /** Takes only chaincode: layers of foreign images have a whole system. */
  readonly chaincodeOnly?: boolean;
}

export interface WrittenLayer {
  /** SHA-256 of the archive, in hex: the image specification's diff_id. */
  readonly digest: string;
  readonly size: number;
  /** The number of entries. */
  readonly entries: number;
}

/**
 * Writes sources as one tar file that depends on nothing but their names, modes and contents, so that the same chaincode is the same
 * layer for every peer. Throws ApiError 400 for hostile archives.
 */
export async function writeLayer(
  sources: readonly LayerSource[],
  file: string,
  limits: ArchiveLimits,
): Promise<WrittenLayer> {
  const archive = pack();
  const hash = createHash("sha256");
  let size = 0;
  const written = pipeline(
    archive as unknown as Readable,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    },
    // Flushed to the disk, because the file gets its final name next.
    createWriteStream(file, { flags: "wx", mode: 0o600, flush: true }),
  );
  const [filled, stored] = await Promise.allSettled([fill(archive, sources, limits), written]);
  if (filled.status === "rejected") throw filled.reason;
  if (stored.status === "rejected") throw stored.reason;
  return { digest: hash.digest("hex"), size, entries: filled.value };
}

/** Files up to this size are held in memory. */
const smallBytes = 256 * 1024;

async function fill(archive: Pack, sources: readonly LayerSource[], limits: ArchiveLimits): Promise<number> {
  const budget = newBudget(limits);
  let entries = 0;
  try {
    for (const { archive: source, directory, chaincodeOnly = false } of sources) {
      await readArchive(source, budget, async (entry) => {
        const { header } = entry;
        const path = chaincodeOnly ? chaincodePath(header.name) : entryPath(`${directory}/${header.name}`);
        if (path === undefined || path === "") {
          entry.resume();
          return;
        }
        const kind = entryKind(header);
        const common = { name: path, mode: entryMode(header.mode), mtime: new Date(0), uid: 0, gid: 0 };
        entries += 1;
        if (kind === "file") {
          const size = header.size ?? 0;
          if (size <= smallBytes) await addBytes(archive, common, await entryBytes(entry));
          else await addContent(archive, { ...common, size }, entry);
          return;
        }
        entry.resume();
        await addHeader(
          archive,
          kind === "directory"
            ? { ...common, name: `${path}/`, mode: 0o755, type: "directory" }
            : { ...common, type: "symlink", linkname: header.linkname ?? "" },
        );
      });
    }
    archive.finalize();
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
  return entries;
}

/**
 * Copies a layer, gzipped or not, that has only chaincode, as the plugin composes it. Its bytes stay, and so its digest, by which other
 * daemons know it. Undefined for other layers. Throws ApiError 400 for a hostile one.
 */
export async function copyLayer(
  file: string,
  target: string,
  limits: ArchiveLimits,
): Promise<WrittenLayer | undefined> {
  const hash = createHash("sha256");
  const layer = { size: 0, entries: 0, foreign: 0 };
  const copy = await open(target, "wx", 0o600);
  try {
    const copied = async function* () {
      for await (const chunk of await plainBytes(file)) {
        hash.update(chunk);
        layer.size += chunk.length;
        // The budget does not count bytes after the last entry.
        if (layer.size > 2 * limits.bytes + 2 ** 20)
          throw new ApiError(400, "archive refused: expected less after its end");
        await copy.appendFile(chunk);
        yield chunk;
      }
    };
    await readArchive(Readable.from(copied()), newBudget(limits), (entry) => {
      const { name, type } = entry.header;
      if (chaincodePath(name) !== undefined) {
        layer.entries += 1;
        entryKind(entry.header);
      } else if (type !== "directory" || !parentEntry.test(name)) layer.foreign += 1;
      entry.resume();
      return Promise.resolve();
    });
    await copy.sync();
  } finally {
    await copy.close();
  }
  const { size, entries, foreign } = layer;
  return foreign === 0 && entries > 0 ? { digest: hash.digest("hex"), size, entries } : undefined;
}

async function plainBytes(file: string): Promise<AsyncIterable<Buffer>> {
  const head = createReadStream(file, { end: 1 });
  const gzipped = (await buffer(head)).equals(gzipMagic);
  const source = createReadStream(file);
  if (!gzipped) return source;
  const plain = createGunzip();
  source.on("error", (error) => plain.destroy(error)).pipe(plain);
  return plain;
}

/** RFC 1952. */
const gzipMagic = Buffer.of(0x1f, 0x8b);

/** Parent directories of chaincode. */
const parentEntry = /^(usr(\/local(\/bin)?)?|root(\/chaincode-java)?)\/?$/;

/** The path of chaincode; undefined for other files, whose names are not used and so not checked. */
function chaincodePath(name: string): string | undefined {
  const plain = name.replace(/^(\.?\/)+/, "").replace(/\/+$/, "");
  return chaincodeEntry.test(plain) ? entryPath(name) : undefined;
}
