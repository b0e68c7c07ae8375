import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, read, write } from "node:fs";
import { open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { callbackify } from "node:util";

/** A temporary file without a name: no other process can open it, and it is gone when this process ends. */
export interface NamelessFile {
  /** Bytes written. */
  readonly size: number;
  /** Writes from the beginning. To be called once. */
  writer(): Writable;
  /** Reads from the beginning. Several streams may read at the same time. */
  open(): Readable;
  /** Frees the disk space as soon as all streams have ended. */
  close(): Promise<void>;
}

const atOnce = 128 * 1024;

/** Fails if the path exists (`x`: POSIX open, O_EXCL), so that it follows no other user's link in the shared temporary folder. */
export async function newNamelessFile(): Promise<NamelessFile> {
  const path = join(tmpdir(), `kubectl-fabric-layer-${randomUUID()}`);
  const handle = await open(path, "wx+", 0o600);
  await unlink(path).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  const { fd } = handle;
  let size = 0;
  let inUse = 0;
  let closing = false;
  // A descriptor must not be closed while a stream reads from it: the system may give its number to another file.
  const closeUnused = async () => {
    if (closing && inUse === 0) await handle.close();
  };
  const release = async () => {
    inUse--;
    await closeUnused();
  };
  const close = callbackify((_fd: number) => release());
  return {
    get size() {
      return size;
    },
    writer() {
      inUse++;
      const stream = createWriteStream("", { fd, start: 0, fs: { write, close } });
      return stream.once("finish", () => (size = stream.bytesWritten));
    },
    open() {
      inUse++;
      return createReadStream("", { fd, start: 0, fs: { read, close }, highWaterMark: atOnce });
    },
    async close() {
      closing = true;
      await closeUnused();
    },
  };
}
