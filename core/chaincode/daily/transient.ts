import { readFile } from "node:fs/promises";
import { FabricError, messageOf } from "../../error.ts";
import { describePlace, readJson } from "../../fabric/json-text.ts";

/**
 * Transient data from files, so that it is in no command line: `NAME=FILE` is one value, the file's bytes; `FILE` is a
 * JSON object of values, strings as they are and anything else as JSON. Throws `usage`, never with what is in a file.
 */
export async function readTransient(sources: readonly string[]): Promise<Readonly<Record<string, Uint8Array>>> {
  const values: Record<string, Uint8Array> = {};
  for (const source of sources) {
    const at = source.indexOf("=");
    if (at > 0) values[source.slice(0, at)] = await read(source.slice(at + 1));
    else Object.assign(values, fromJson(source, await read(source)));
  }
  return values;
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new FabricError("usage", `cannot read the transient data in ${file}: ${messageOf(cause)}`, { cause });
  }
}

function fromJson(file: string, bytes: Uint8Array): Readonly<Record<string, Uint8Array>> {
  const read = readJson(Buffer.from(bytes).toString("utf8"));
  const unexpected = (found: string) =>
    new FabricError("usage", `expected a JSON object of values in ${file}, found ${found}`, {
      hint: ['{"price": "100"}, or ', { setting: "transientFile", to: "NAME=FILE" }, " for one value"],
    });
  if ("problem" in read) throw unexpected(`a mistake at ${describePlace(read.problem)}`);
  const parsed = read.value;
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw unexpected("something else");
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => [
      name,
      Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
    ]),
  );
}
