import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { FabricError, messageOf } from "../../error.ts";

/** A text with its name for messages. */
export interface NamedText {
  readonly text: string;
  readonly source: string;
}

/** Reads a file, or `stdin` for "-". Throws `usage` when the file cannot be read. */
export async function readNamed(file: string, stdin: NodeJS.ReadableStream): Promise<NamedText> {
  if (file === "-") return { text: await text(stdin), source: "standard input" };
  try {
    return { text: await readFile(file, "utf8"), source: file };
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
