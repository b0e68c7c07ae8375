import { createReadStream, createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { ApiError } from "../api-error.ts";
import { newBudget, type ArchiveLimits } from "../archive/budget.ts";
import { entryKind, entryPath } from "../archive/entry.ts";
import { readArchive } from "../archive/read.ts";
import { parseDockerfile } from "./dockerfile.ts";
import type { Image, ImageStore } from "./image-store.ts";

export interface BuildSettings {
  readonly store: ImageStore;
  readonly limits: ArchiveLimits;
  readonly architecture: string;
  readonly now: () => Date;
  /** Throws when there is no such toolchain to build upon. */
  readonly checkBase: (name: string) => void;
}

const largestDockerfile = 64 * 1024;

/** Builds an image for a peer: one layer on a toolchain. When it throws ApiError, there is no image. */
export async function buildImage(context: Readable, names: readonly string[], settings: BuildSettings): Promise<Image> {
  const files = new Map<string, string>();
  try {
    const text = await readContext(context, files, settings);
    const { from, adds, labels, environment } = parseDockerfile(text);
    settings.checkBase(from);
    const sources = adds.map(({ archive, directory }) => {
      const file = files.get(entryPath(archive));
      if (file === undefined)
        throw new ApiError(400, `ADD failed: expected ${archive} in the build context, found none`);
      return { archive: createReadStream(file), directory };
    });
    return await settings.store.add(
      sources,
      (layer) => ({
        architecture: settings.architecture,
        os: "linux",
        created: settings.now().toISOString(),
        config: { Env: environment, Cmd: [], Labels: labels },
        rootfs: { type: "layers", diff_ids: [layer] },
      }),
      names,
    );
  } finally {
    for (const file of files.values()) await rm(file, { force: true });
  }
}

/** Returns the Dockerfile, and writes the other files to paths noted in `files`. Entries come in any order, that of a map in the peer. */
async function readContext(
  context: Readable,
  files: Map<string, string>,
  { store, limits }: BuildSettings,
): Promise<string> {
  let dockerfile: string | undefined;
  await readArchive(context, newBudget(limits), async (entry) => {
    const { header } = entry;
    const name = entryPath(header.name);
    if (entryKind(header) !== "file") {
      entry.resume();
    } else if (name === "Dockerfile") {
      if ((header.size ?? 0) > largestDockerfile)
        throw new ApiError(400, "cannot build: expected a Dockerfile of a peer");
      dockerfile = (await buffer(entry)).toString("utf8");
    } else {
      const file = store.unfinished();
      files.set(name, file);
      await pipeline(entry, createWriteStream(file, { flags: "wx", mode: 0o600 }));
    }
  });
  if (dockerfile === undefined)
    throw new ApiError(400, "cannot build: expected a Dockerfile in the context, found none");
  return dockerfile;
}
