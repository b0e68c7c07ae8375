import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { FabricError } from "../error.ts";

/** A layer as it is kept: gzipped, which every daemon takes (moby image/tarexport/load.go, DecompressStream). */
export interface KeptLayer {
  /** Bytes. */
  readonly size: number;
  open(): Readable;
}

/** Layers on their way from one daemon to others, in files: each is read from its daemon once and written to as many as lack it. */
export interface LayerStore {
  /** Undefined when it is not there. */
  kept(diffId: string): Promise<KeptLayer | undefined>;
  /** Keeps a layer's tar. Throws `invalid` unless its bytes have the digest that names it. */
  keep(diffId: string, tar: Readable): Promise<void>;
  /** Keeps a layer that is made here; gives its diff ID ("sha256:..."). */
  keepNew(tar: Readable): Promise<string>;
  /** Deletes all. */
  close(): Promise<void>;
}

/** A store in a temporary folder that only this user reads. Nothing is made before the first layer. */
export function newLayerStore(): LayerStore {
  let folder: Promise<string> | undefined;
  let written = 0;
  const inside = async (name: string): Promise<string> =>
    join(await (folder ??= mkdtemp(join(tmpdir(), "kubectl-fabric-layers-"))), name);
  const fileOf = (diffId: string): Promise<string> => inside(`${hexOf(diffId)}.tar.gz`);

  /** Under a name of its own until it is complete. */
  const write = async (tar: Readable, check: (diffId: string) => void): Promise<string> => {
    const partial = await inside(`${written++}.partial`);
    const hash = createHash("sha256");
    const hashing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    // Fast rather than small: the daemons are as near as the API server is.
    await pipeline(tar, hashing, createGzip({ level: 1 }), createWriteStream(partial));
    const diffId = `sha256:${hash.digest("hex")}`;
    check(diffId);
    await rename(partial, await fileOf(diffId));
    return diffId;
  };

  return {
    async kept(diffId) {
      if (!folder) return undefined;
      const file = await fileOf(diffId);
      const found = await stat(file).catch(() => undefined);
      return found && { size: found.size, open: () => createReadStream(file, { highWaterMark: 128 * 1024 }) };
    },
    async keep(diffId, tar) {
      await write(tar, (found) => {
        if (found !== diffId) throw new FabricError("invalid", `expected the layer ${diffId}, found ${found}`);
      });
    },
    keepNew: (tar) => write(tar, () => {}),
    async close() {
      if (folder) await rm(await folder, { recursive: true, force: true });
      folder = undefined;
    },
  };
}

/** "sha256:0a1b..." without what names the algorithm. Throws `invalid` for anything else: it becomes a file name. */
export function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new FabricError("invalid", `expected a digest sha256:..., found ${digest}`);
  return hex;
}
