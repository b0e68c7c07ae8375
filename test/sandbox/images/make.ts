import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { architectureOf } from "../machine.ts";
import { isFresh, keyOf, publish, readStamp, type FileMemory, type Stamp } from "../freshness.ts";
import type { Layout } from "../layout.ts";
import { buildPrograms } from "../programs.ts";
import type { Progress } from "../progress.ts";
import { digestOf, imageConfiguration, writeArchive, type Layer } from "./archive.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { keyOfLayer, makeLayer } from "./layer.ts";
import type { ImageRecipe } from "./recipe.ts";

/** What is known of an archive without opening it. */
interface ImageStamp extends Stamp {
  readonly tags: readonly string[];
  readonly standsInFor?: string;
  /** Bytes. */
  readonly size: number;
  /** sha256:... of the configuration: the image's id in Docker. */
  readonly id: string;
}

export interface MakeContext {
  readonly layout: Layout;
  readonly memory: FileMemory;
  readonly progress: Progress;
  readonly signal?: AbortSignal | undefined;
}

export const archiveOf = (layout: Layout, name: string) => join(layout.images, `${name}.tar`);

/** Increase it when the way in which archives are written changes. */
const revision = "1";

/** Makes an image's archive unless it is fresh; gives its path. */
export async function makeImage({ recipe, builds }: CatalogueEntry, context: MakeContext): Promise<string> {
  const { layout, memory, progress, signal } = context;
  for (const build of builds) await buildPrograms(build, layout, progress, signal);
  const keys = await Promise.all(recipe.layers.map((layer) => keyOfLayer(layer, memory)));
  const archive = archiveOf(layout, recipe.name);
  const key = keyOfImage(recipe, keys);
  if (await isFresh(archive, key)) return archive;
  progress.say(`making image ${recipe.tags.join(", ")}`);
  await mkdir(layout.images, { recursive: true });
  const layers: Layer[] = [];
  for (const [index, layer] of recipe.layers.entries()) {
    const file = await makeLayer(layer, keys[index] ?? "", layout, progress, signal);
    layers.push({ file, diffId: await digestOf(file) });
  }
  await publishArchive(recipe, key, layers, archive);
  return archive;
}

export function keyOfImage(recipe: ImageRecipe, layerKeys: readonly string[]): string {
  return keyOf(revision, JSON.stringify([recipe.tags, recipe.standsInFor ?? "", recipe.config]), ...layerKeys);
}

async function publishArchive(recipe: ImageRecipe, key: string, layers: readonly Layer[], archive: string) {
  const diffIds = layers.map(({ diffId }) => diffId);
  const architecture = architectureOf(process.arch);
  const configuration = imageConfiguration(architecture, recipe.config, diffIds, recipe.standsInFor);
  const unfinished = `${archive}.new`;
  await writeArchive(unfinished, recipe.tags, configuration, layers);
  const stamp: ImageStamp = {
    key,
    tags: recipe.tags,
    ...(recipe.standsInFor !== undefined && { standsInFor: recipe.standsInFor }),
    size: (await stat(unfinished)).size,
    id: await digestOfText(configuration),
  };
  await publish(unfinished, archive, stamp);
}

async function digestOfText(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", Buffer.from(text));
  return `sha256:${Buffer.from(digest).toString("hex")}`;
}

export interface KeptImage extends ImageStamp {
  readonly name: string;
  readonly archive: string;
}

/** The images whose archives are there, fresh or not. */
export async function keptImages(layout: Layout): Promise<readonly KeptImage[]> {
  const names = (await readdir(layout.images).catch(() => []))
    .filter((file) => file.endsWith(".tar"))
    .map((file) => file.slice(0, -".tar".length));
  const found = await Promise.all(names.sort().map((name) => keptImage(layout, name)));
  return found.filter((image) => image !== undefined);
}

async function keptImage(layout: Layout, name: string): Promise<KeptImage | undefined> {
  const archive = archiveOf(layout, name);
  const stamp = await readStamp<ImageStamp>(archive);
  return stamp && { ...stamp, name, archive };
}
