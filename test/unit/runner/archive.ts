import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";

export type TestEntry = Parameters<ReturnType<typeof pack>["entry"]>[0] & { readonly content?: string | Buffer };

/** A tar archive of entries as they are given, good or bad. */
export async function tarOf(...entries: readonly TestEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? "");
  archive.finalize();
  return buffer(archive);
}

export function streamOf(bytes: Buffer): Readable {
  return Readable.from([bytes]);
}
