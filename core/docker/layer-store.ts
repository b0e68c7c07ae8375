import { createHash } from "node:crypto";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { FabricError } from "../error.ts";
import { newNamelessFile, type NamelessFile } from "./nameless-file.ts";

/** A layer as it is kept: gzipped, which every daemon takes (moby image/tarexport/load.go, DecompressStream). */
export interface KeptLayer {
  /** Bytes. */
  readonly size: number;
  open(): Readable;
}

/** Layers on their way from one daemon to others: each is read once, and sent to every daemon that lacks it. */
export interface LayerStore {
  /** A layer of the store; undefined when the store lacks it. */
  kept(diffId: string): KeptLayer | undefined;
  /** Stores a layer's tar. Throws `invalid` unless the digest of its bytes is `diffId`. */
  keep(diffId: string, tar: Readable): Promise<void>;
  /** Stores a new layer; returns its diff ID ("sha256:..."). */
  keepNew(tar: Readable): Promise<string>;
  /** Frees all layers. Open streams can still be read to their end. */
  close(): Promise<void>;
}

/** A store in temporary files without a name: the system frees them however this process ends. */
export function newLayerStore(): LayerStore {
  const layers = new Map<string, NamelessFile>();
  const write = async (tar: Readable, check: (diffId: string) => void): Promise<string> => {
    const file = await newNamelessFile();
    try {
      const hash = createHash("sha256");
      const hashing = new Transform({
        transform(chunk: Buffer, _encoding, done) {
          hash.update(chunk);
          done(null, chunk);
        },
      });
      // Level 1 is fast: the way to the daemons is as fast as that to the API server.
      await pipeline(tar, hashing, createGzip({ level: 1 }), file.writer());
      const diffId = `sha256:${hash.digest("hex")}`;
      check(diffId);
      if (layers.has(diffId)) await file.close();
      else layers.set(diffId, file);
      return diffId;
    } catch (error) {
      await file.close();
      throw error;
    }
  };
  return {
    kept: (diffId) => layers.get(diffId),
    async keep(diffId, tar) {
      await write(tar, (found) => {
        if (found !== diffId) throw new FabricError("invalid", `expected the layer ${diffId}, found ${found}`);
      });
    },
    keepNew: (tar) => write(tar, () => {}),
    async close() {
      const files = [...layers.values()];
      layers.clear();
      await Promise.all(files.map((file) => file.close()));
    },
  };
}

/** The hexadecimal part of "sha256:0a1b...". Throws `invalid` for anything else: it becomes a file name. */
export function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new FabricError("invalid", `expected a digest sha256:..., found ${digest}`);
  return hex;
}
