import { readFile } from "node:fs/promises";
import { FabricError, messageOf } from "../../error.ts";
import { describePlace, readJson } from "../../fabric/json-text.ts";
import type { Remedy } from "../../remedy.ts";

/** Where transient data is: files, so that it is in no command line. */
export interface TransientSources {
  /** `NAME=FILE` is one value, the file's bytes; `FILE` is a JSON object of values, strings as they are and anything else as JSON. */
  readonly plain: readonly string[];
  /** Files as the peer command takes them for --transient: a JSON object of values in base64 (internal/peer/chaincode/common.go). */
  readonly base64: readonly string[];
}

/**
 * Reads transient data; of a name that comes twice the last value counts. Throws `usage`, never with what is in a file; also for plain values
 * that are JSON in base64, every one: a chaincode would find base64 where it expects JSON.
 */
export async function readTransient({
  plain,
  base64,
}: TransientSources): Promise<Readonly<Record<string, Uint8Array>>> {
  const values: Record<string, Uint8Array> = {};
  for (const source of plain) {
    const at = source.indexOf("=");
    if (at > 0) values[source.slice(0, at)] = await read(source.slice(at + 1));
    else Object.assign(values, plainValues(source, objectIn(source, await read(source), plainHint)));
  }
  for (const file of base64) Object.assign(values, decodedValues(file, objectIn(file, await read(file), base64Hint)));
  return values;
}

const plainHint: Remedy = ['{"price": "100"}, or ', { setting: "transientFile", to: "NAME=FILE" }, " for one value"];
const base64Hint: Remedy = '{"price": "MTAw"}: names, and values in base64';

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new FabricError("usage", `cannot read the transient data in ${file}: ${messageOf(cause)}`, { cause });
  }
}

function objectIn(file: string, bytes: Uint8Array, hint: Remedy): Readonly<Record<string, unknown>> {
  const read = readJson(Buffer.from(bytes).toString("utf8"));
  const unexpected = (found: string) =>
    new FabricError("usage", `expected a JSON object of values in ${file}, found ${found}`, { hint });
  if ("problem" in read) throw unexpected(`a mistake at ${describePlace(read.problem)}`);
  const parsed = read.value;
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw unexpected("something else");
  return parsed as Record<string, unknown>;
}

function plainValues(file: string, object: Readonly<Record<string, unknown>>): Readonly<Record<string, Uint8Array>> {
  const values = Object.values(object);
  if (values.length > 0 && values.every(isJsonInBase64)) {
    throw new FabricError(
      "usage",
      `expected values as they are in ${file}, found JSON in base64, as the peer command takes it`,
      {
        hint: [
          { setting: "transientBase64File", to: file },
          " hands over what it means; ",
          { setting: "transientFile", to: "NAME=FILE" },
          " hands over a file as it is, base64 too",
        ],
      },
    );
  }
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [
      name,
      Buffer.from(typeof value === "string" ? value : JSON.stringify(value)),
    ]),
  );
}

function decodedValues(file: string, object: Readonly<Record<string, unknown>>): Readonly<Record<string, Uint8Array>> {
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => {
      // As in Go, null is nothing.
      const bytes = decoded(value ?? "");
      if (bytes) return [name, bytes];
      throw new FabricError("usage", `expected base64 as the value of ${name} in ${file}, found something else`, {
        hint: base64Hint,
      });
    }),
  );
}

/** Standard base64 with its padding, as Go's JSON reads bytes; line ends in it do not count. */
function decoded(value: unknown): Uint8Array | undefined {
  if (typeof value !== "string") return undefined;
  const text = value.replace(/[\r\n]/g, "");
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64");
}

function isJsonInBase64(value: unknown): boolean {
  const text = Buffer.from(decoded(value) ?? []).toString("utf8");
  return /^\s*[{[]/.test(text) && "value" in readJson(text);
}
