import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { FabricError, messageOf } from "../../error.ts";

/** A text with its name for messages. */
export interface NamedText {
  readonly text: string;
  readonly source: string;
}

/**
 * UTF-8, or UTF-16 where a byte order mark says so, as kubectl reads it (cli-runtime, pkg/resource/visitor.go): PowerShell 5 writes
 * `>` so.
 */
function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** Reads a file, or `stdin` for "-". Throws `usage` when the file cannot be read. */
export async function readNamed(file: string, stdin: NodeJS.ReadableStream): Promise<NamedText> {
  if (file === "-") return { text: decoded(await buffer(stdin)), source: "standard input" };
  try {
    return { text: decoded(await readFile(file)), source: file };
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
