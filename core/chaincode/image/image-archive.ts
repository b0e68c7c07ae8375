import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { open } from "node:fs/promises";
import { extract } from "tar-stream";
import { FabricError, messageOf } from "../../error.ts";

/** An image within an archive made by `docker save`. */
export interface ArchivedImage {
  /** "sha256:..." of its configuration: what a daemon calls the image's ID. */
  readonly id: string;
  readonly names: readonly string[];
}

interface ManifestEntry {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
}

/** Bytes. The manifest and the configurations are smaller; larger files (layers) are not read. */
const largestRead = 1024 * 1024;
/** Bytes of all small files together. */
const mostRead = 64 * 1024 * 1024;

/**
 * The images of a docker-archive, plain or gzipped, without loading it (moby image/spec/v1.2). Throws `usage` when the file cannot
 * be read, or is no such archive.
 */
export async function archivedImages(file: string): Promise<readonly ArchivedImage[]> {
  const small = await smallFiles(file);
  const manifest = small.get("manifest.json");
  if (!manifest) {
    throw new FabricError("usage", `expected an archive of images in ${file}, found no manifest.json in it`, {
      hint: "docker save IMAGE > FILE makes one",
    });
  }
  return manifestEntries(manifest, file).map(({ Config, RepoTags }) => {
    const config = small.get(Config);
    if (!config) throw new FabricError("usage", `expected ${Config} in ${file}, found none`);
    return { id: `sha256:${createHash("sha256").update(config).digest("hex")}`, names: RepoTags ?? [] };
  });
}

function manifestEntries(manifest: Buffer, file: string): readonly ManifestEntry[] {
  try {
    const entries = JSON.parse(manifest.toString()) as readonly ManifestEntry[];
    if (Array.isArray(entries) && entries.every((entry) => typeof entry?.Config === "string")) return entries;
  } catch {
    // As below.
  }
  throw new FabricError("usage", `expected a list of images in manifest.json of ${file}, found something else`);
}

async function smallFiles(file: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const tar = extract();
  let kept = 0;
  const read = async () => {
    for await (const entry of tar) {
      const { name, type, size } = entry.header;
      const wanted = type === "file" && size <= largestRead && (kept += size) <= mostRead;
      if (wanted) files.set(name, await buffer(entry));
      else entry.resume();
    }
  };
  try {
    const unzip = (await isGzip(file)) ? [createGunzip()] : [];
    await Promise.all([read(), pipeline([createReadStream(file), ...unzip, tar])]);
  } catch (cause) {
    throw new FabricError("usage", `cannot read the image archive ${file}: ${messageOf(cause)}`, { cause });
  }
  return files;
}

/** RFC 1952: a gzip file begins with 1f 8b. */
async function isGzip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer: head } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return head[0] === 0x1f && head[1] === 0x8b;
  } finally {
    await handle.close();
  }
}
