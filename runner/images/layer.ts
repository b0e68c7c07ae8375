import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import { newBudget, type ArchiveLimits } from "../archive/budget.ts";
import { entryKind, entryMode, entryPath } from "../archive/entry.ts";
import { addBytes, addContent, addHeader } from "../archive/pack.ts";
import { readArchive } from "../archive/read.ts";

/** Where Fabric's Dockerfiles put chaincode (platforms/golang, node, java: GenerateDockerfile); nothing else of an image can run here. */
const CHAINCODE = /^(usr\/local\/src(\/|$)|usr\/local\/bin\/chaincode$|root\/chaincode-java\/chaincode(\/|$))/;

/** What goes into a layer: an archive, and the directory that its entries are put into. */
export interface LayerSource {
  readonly archive: Readable;
  readonly directory: string;
  /** Leave out, rather than take, what is not chaincode: layers of foreign images hold a whole system. */
  readonly chaincodeOnly?: boolean;
}

export interface WrittenLayer {
  /** SHA-256 of the archive, in hex: the image specification's diff_id. */
  readonly digest: string;
  readonly size: number;
  /** How many entries it has. */
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
    // On disk before it is closed: a name is given to it next.
    createWriteStream(file, { flags: "wx", mode: 0o600, flush: true }),
  );
  const [filled, stored] = await Promise.allSettled([fill(archive, sources, limits), written]);
  if (filled.status === "rejected") throw filled.reason;
  if (stored.status === "rejected") throw stored.reason;
  return { digest: hash.digest("hex"), size, entries: filled.value };
}

/** Held in memory on its way. */
const SMALL = 256 * 1024;

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
          if (size <= SMALL) await addBytes(archive, common, await buffer(entry));
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

/** Undefined for what a foreign image holds besides chaincode: such names are never used, so they need not be good. */
function chaincodePath(name: string): string | undefined {
  const plain = name.replace(/^(\.?\/)+/, "").replace(/\/+$/, "");
  return CHAINCODE.test(plain) ? entryPath(name) : undefined;
}
