import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { pack, type Pack } from "tar-stream";
import type { ImageConfig } from "./recipe.ts";

export const standInLabel = "kubectl-fabric.io/sandbox-stand-in";

export interface Layer {
  readonly file: string;
  /** sha256:... of the uncompressed tar. */
  readonly diffId: string;
}

/** An image's configuration, the same for the same contents. */
export function imageConfiguration(
  architecture: string,
  config: ImageConfig,
  diffIds: readonly string[],
  standsInFor: string | undefined,
): string {
  const label = standsInFor === undefined ? {} : { [standInLabel]: standsInFor };
  return JSON.stringify({
    architecture,
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: { ...config, Labels: { ...config.Labels, ...label } },
    rootfs: { type: "layers", diff_ids: diffIds },
    history: diffIds.map(() => ({ created: "1970-01-01T00:00:00Z", created_by: "kubectl-fabric sandbox" })),
  });
}

/** What `docker load` and `ctr images import` look for first. */
export function archiveManifest(tags: readonly string[], layers: number): string {
  const Layers = Array.from({ length: layers }, (_, index) => layerName(index));
  return JSON.stringify([{ Config: "config.json", RepoTags: tags, Layers }]);
}

const layerName = (index: number) => `layer-${index}.tar`;

/** Writes a docker-archive: the format that Docker and containerd load alike. */
export async function writeArchive(
  file: string,
  tags: readonly string[],
  configuration: string,
  layers: readonly Layer[],
): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(file));
  addText(archive, "manifest.json", archiveManifest(tags, layers.length));
  addText(archive, "config.json", configuration);
  for (const [index, layer] of layers.entries()) await addFile(archive, layerName(index), layer.file);
  archive.finalize();
  await written;
}

const fixed = { mtime: new Date(0), mode: 0o644 };

function addText(archive: Pack, name: string, text: string): void {
  archive.entry({ name, ...fixed }, text);
}

async function addFile(archive: Pack, name: string, file: string): Promise<void> {
  const { size } = await stat(file);
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), archive.entry({ name, size, ...fixed }));
}

export async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest("hex")}`;
}
