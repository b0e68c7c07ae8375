import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * What was made is fresh while the key of what it was made from is the same. The key is a hash of contents,
 * never a time: a clean clone has new times and the same contents.
 */
export interface Stamp {
  readonly key: string;
}

export function keyOf(...parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
}

/** The key of a directory's files: names and contents, in order. */
export async function keyOfDirectory(directory: string): Promise<string> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const parts = await Promise.all(
    files.sort().map(async (file) => [file.slice(directory.length), await readFile(file, "utf8")]),
  );
  return keyOf(...parts.flat());
}

/** The key of a large file. A file with the same place, size and time is not read again by this process. */
export async function keyOfFile(file: string, memory: FileMemory): Promise<string> {
  const { size, mtimeMs, ino } = await stat(file);
  const identity = `${file} ${size} ${mtimeMs} ${ino}`;
  const known = memory.get(identity);
  if (known !== undefined) return known;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const key = hash.digest("hex");
  memory.set(identity, key);
  return key;
}

/** Hashes already computed, by a file's identity. Kept on disk: a Fabric release is 200 MB. */
export type FileMemory = Map<string, string>;

export async function readMemory(file: string): Promise<FileMemory> {
  return new Map(Object.entries((await readJson<Record<string, string>>(file)) ?? {}));
}

export async function writeMemory(file: string, memory: FileMemory): Promise<void> {
  await writeAtomically(file, JSON.stringify(Object.fromEntries(memory), undefined, 1));
}

export async function readStamp<T extends Stamp>(product: string): Promise<T | undefined> {
  return readJson<T>(stampOf(product));
}

export async function isFresh(product: string, key: string): Promise<boolean> {
  const [stamp, made] = await Promise.all([readStamp(product), exists(product)]);
  return made && stamp?.key === key;
}

/**
 * Puts a finished product in its place. Killed at any point, this leaves the product either without a stamp,
 * and so not fresh, or complete.
 */
export async function publish(finished: string, product: string, stamp: Stamp): Promise<void> {
  await rm(stampOf(product), { force: true });
  await rm(product, { recursive: true, force: true });
  await rename(finished, product);
  await writeAtomically(stampOf(product), JSON.stringify(stamp, undefined, 1));
}

export async function writeAtomically(file: string, text: string, mode = 0o644): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, file);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function stampOf(product: string): string {
  return `${product}.stamp`;
}

async function readJson<T>(file: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as T;
  } catch {
    return undefined; // missing or cut off: made again
  }
}
