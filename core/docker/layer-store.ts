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

/** Layers on their way from one daemon to others: each is read from its daemon once and written to as many as lack it. */
export interface LayerStore {
  /** Undefined when it is not there. */
  kept(diffId: string): KeptLayer | undefined;
  /** Keeps a layer's tar. Throws `invalid` unless its bytes have the digest that names it. */
  keep(diffId: string, tar: Readable): Promise<void>;
  /** Keeps a layer that is made here; gives its diff ID ("sha256:..."). */
  keepNew(tar: Readable): Promise<string>;
  /** Lets go of all. What is being read is still read to its end. */
  close(): Promise<void>;
}

/** A store in temporary files without a name: whatever way this process ends, the system has taken them back. */
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
      // Fast rather than small: the daemons are as near as the API server is.
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

/** "sha256:0a1b..." without what names the algorithm. Throws `invalid` for anything else: it becomes a file name. */
export function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new FabricError("invalid", `expected a digest sha256:..., found ${digest}`);
  return hex;
}
