import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream, read, write } from "node:fs";
import { open, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { callbackify } from "node:util";

/** A temporary file that nobody can open by a name, and that is gone with the process that has it open. */
export interface NamelessFile {
  /** Bytes written. */
  readonly size: number;
  /** Writes from the beginning; used once. */
  writer(): Writable;
  /** Reads from the beginning; several at a time. */
  open(): Readable;
  /** Gives the disk back, as soon as those who read have ended. */
  close(): Promise<void>;
}

const atOnce = 128 * 1024;

/** Made new, or not at all: in a folder that others write, too, a link of theirs is not followed (`x`, POSIX open, O_EXCL). */
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
  // A descriptor that is closed while a stream reads from it may be another file's a moment later.
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
