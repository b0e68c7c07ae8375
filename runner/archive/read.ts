import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract } from "tar-stream";
import { ApiError } from "../api-error.ts";
import type { Budget } from "./budget.ts";

/** One entry: its header, and its content to be read. */
export type Entry = ReturnType<typeof extract> extends AsyncIterable<infer Found> ? Found : never;

/** The content of a small entry. stream/consumers makes a Blob of each: a third of the time, for thousands of files. */
export async function entryBytes(entry: Entry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of entry as AsyncIterable<Buffer>) chunks.push(chunk);
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

/**
 * Reads a tar archive, gzipped or not, entry by entry. `use` must read or resume each entry. When it throws, the rest of the source is
 * read and dropped: a client that still sends would else not see the answer.
 */
export async function readArchive(
  source: Readable,
  budget: Budget,
  use: (entry: Entry) => Promise<void>,
): Promise<void> {
  const tar = extract();
  const entries = (async () => {
    for await (const entry of tar) {
      budget.entry();
      budget.bytes(entry.header.size ?? 0);
      await use(entry);
    }
  })();
  const fed = feed(source, tar as unknown as Writable).catch((error: unknown) => {
    // The source has ended: the entries must not wait for more.
    tar.destroy();
    throw error;
  });
  const [read, whole] = await Promise.allSettled([entries, fed]);
  if (read.status === "rejected" || whole.status === "rejected") source.resume();
  if (read.status === "rejected") throw asRefusal(read.reason);
  if (whole.status === "rejected") throw asRefusal(whole.reason);
}

/** Errors of the archive become ApiError 400, for they are the sender's. Errors of our file system stay. */
function asRefusal(reason: unknown): unknown {
  if (reason instanceof ApiError || !(reason instanceof Error)) return reason;
  const ours = "syscall" in reason;
  return ours ? reason : new ApiError(400, `archive refused: expected a tar archive, found: ${reason.message}`);
}

/** Feeds the source into the tar reader. Leaves the source open when the archive is refused. */
async function feed(source: Readable, tar: Writable): Promise<void> {
  const chunks = source.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  let first = await chunks.next();
  while (first.done !== true && first.value.length === 0) first = await chunks.next();
  if (first.done === true) throw new ApiError(400, "archive refused: expected a tar archive, found nothing");
  const head = first.value;
  const whole = async function* () {
    yield head;
    yield* chunks;
  };
  await (isGzip(head) ? pipeline(whole, createGunzip(), tar) : pipeline(whole, tar));
}

/** RFC 1952. */
function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}
