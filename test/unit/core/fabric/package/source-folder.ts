import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { readChaincodeSource, type SourceOptions } from "../../../../../core/fabric/package/chaincode-source.ts";
import type { Remedy } from "../../../../../core/remedy.ts";
import { typed } from "../../../../../plugin/terminal/remedy.ts";

/** A folder for each test of a file, and what is read of it. */
export function sourceFolder() {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "source-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const at = (path: string) => join(folder, path);
  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(at(path)), { recursive: true });
      await writeFile(at(path), content);
    }
  };
  const read = (below = "", options: SourceOptions = {}) => readChaincodeSource(at(below), options);
  return {
    at,
    write,
    read,
    /** Names, as they are in the folder. */
    names: async (below = "", options: SourceOptions = {}) =>
      (await read(below, options)).files.map(({ name }) => name.replace(/^src\//, "")),
    notices: async (below = "", options: SourceOptions = {}) =>
      (await read(below, options)).notices.map((notice) => typed(notice).replaceAll(folder, "FOLDER")),
    /** Message and hint of a refusal, with FOLDER for the folder's own path. */
    refusal: async (below = "", options: SourceOptions = {}) => {
      try {
        await read(below, options);
      } catch (error) {
        const { code, message, hint } = error as { code?: string; message: string; hint?: Remedy };
        const told = hint === undefined ? "" : `\n${typed(hint)}`;
        return `${code}: ${message}${told}`.replaceAll(folder, "FOLDER");
      }
      throw new Error("expected a refusal, found none");
    },
  };
}
