import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { ArchiveLimits } from "../archive/budget.ts";
import { ApiError } from "../api-error.ts";
import { publish, writeDurable } from "./durable-file.ts";
import { encodeConfig, layersOf, parseConfig, parseJson, labels, type ImageConfig } from "./image-config.ts";
import { imageId, imageName } from "./image-name.ts";
import { writeLayer, type LayerSource, type WrittenLayer } from "./layer.ts";

export interface Image {
  /** Hex, without "sha256:". */
  readonly id: string;
  readonly names: readonly string[];
  readonly config: ImageConfig;
  /** Bytes of its layers. */
  readonly size: number;
  /** When the image came, or got another name. */
  readonly named: Date;
}

/** Images that were built or loaded, on disk. After a kill at any moment each image is complete or does not exist. */
export interface ImageStore {
  list(): readonly Image[];
  /** By name, ID or the beginning of an ID. */
  find(reference: string): Image | undefined;
  /** The tar files of an image's layers, the lowest first. */
  layerFiles(image: Image): readonly string[];
  /** Makes an image of one layer. Other images lose these names; an image without names is removed. */
  add(
    sources: readonly LayerSource[],
    describe: (layer: string) => ImageConfig,
    names: readonly string[],
  ): Promise<Image>;
  /** Makes an image of a layer that is in a file already: a path of `unfinished`, flushed to the disk. */
  adopt(file: string, layer: WrittenLayer, config: ImageConfig, names: readonly string[]): Promise<Image>;
  tag(image: Image, name: string): Promise<void>;
  /** Removes a name; for an ID, all names of the image. Returns the removed names, and the ID when the image is removed with them. */
  remove(reference: string): Promise<{ readonly untagged: readonly string[]; readonly deleted?: string }>;
  /** Bytes on disk. */
  used(): number;
  /** Calls the listener after each change. */
  changed(listener: () => void): void;
  /** A new path for an unfinished file. The next start removes it. */
  unfinished(): string;
}

export interface ImageStoreSettings {
  readonly limits: ArchiveLimits;
  /** Bytes that all images may have. */
  readonly quota: () => number;
}

/** Opens the images of a directory, and removes unfinished files that a kill has left. */
export async function openImageStore(directory: string, settings: ImageStoreSettings): Promise<ImageStore> {
  const folders = {
    layers: join(directory, "layers"),
    images: join(directory, "images"),
    work: join(directory, "work"),
  };
  await rm(folders.work, { recursive: true, force: true });
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o700 });
  const namesFile = join(directory, "names.json");
  const names = new Map(Object.entries(await readNames(namesFile)));
  const configs = await readConfigs(folders.images);
  const layers = await readLayers(folders.layers);
  const layerFile = (digest: string) => join(folders.layers, `${digest}.tar`);
  const imageFile = (id: string) => join(folders.images, `${id}.json`);
  const unfinished = () => join(folders.work, randomBytes(8).toString("hex"));
  // The time of a configuration's file is when the image came here; `created` inside is when it was built anywhere.
  const times = new Map<string, Date>();
  const readTime = async (id: string) => times.set(id, (await stat(imageFile(id))).mtime);

  const whole = (config: ImageConfig): boolean => layersOf(config).every((digest) => layers.has(digest));
  for (const [id, config] of configs) {
    if (whole(config)) await readTime(id);
    else configs.delete(id);
  }
  for (const [name, id] of names) if (!configs.has(id)) names.delete(name);

  const imageOf = (id: string): Image | undefined => {
    const config = configs.get(id);
    if (config === undefined) return undefined;
    const size = layersOf(config).reduce((sum, digest) => sum + (layers.get(digest) ?? 0), 0);
    const own = [...names].filter(([, other]) => other === id).map(([name]) => name);
    return { id, names: own, config, size, named: times.get(id) ?? new Date(0) };
  };
  const find = (reference: string): Image | undefined => {
    const digits = imageId(reference);
    const byId = digits === undefined ? [] : [...configs.keys()].filter((id) => id.startsWith(digits));
    if (byId.length === 1 && byId[0] !== undefined) return imageOf(byId[0]);
    const id = names.get(imageName(reference));
    return id === undefined ? undefined : imageOf(id);
  };

  /** Removes images without names, and layers of no image. */
  const sweep = async (): Promise<void> => {
    const named = new Set(names.values());
    for (const id of [...configs.keys()].filter((one) => !named.has(one))) {
      configs.delete(id);
      await rm(imageFile(id), { force: true });
    }
    const wanted = new Set([...configs.values()].flatMap(layersOf));
    for (const digest of [...layers.keys()].filter((one) => !wanted.has(one))) {
      layers.delete(digest);
      await rm(layerFile(digest), { force: true });
    }
  };
  const writeNames = () => writeDurable(namesFile, JSON.stringify(Object.fromEntries(names)), unfinished());

  const listeners: (() => void)[] = [];
  let last: Promise<unknown> = Promise.resolve();
  /** Runs changes one after the other. */
  const inTurn = <Result>(change: () => Promise<Result>): Promise<Result> => {
    const result = last.then(change, change);
    last = result.catch(() => undefined).then(() => listeners.forEach((listener) => listener()));
    return result;
  };

  await sweep();
  await removeStrangers(folders.images, (name) => configs.has(name.replace(/\.json$/, "")));
  await removeStrangers(folders.layers, (name) => layers.has(name.replace(/\.tar$/, "")));

  const used = () => [...layers.values()].reduce((sum, size) => sum + size, 0);
  const keep = (file: string, layer: WrittenLayer, config: ImageConfig, wanted: readonly string[]): Promise<Image> =>
    inTurn(async () => {
      if (layers.has(layer.digest)) await rm(file, { force: true });
      else {
        // Only here: another image may have come since this one began to be written.
        if (used() + layer.size > settings.quota()) throw noRoom(settings.quota());
        await publish(file, layerFile(layer.digest));
      }
      layers.set(layer.digest, layer.size);
      const { bytes, id } = encodeConfig(config);
      await writeDurable(imageFile(id), bytes, unfinished());
      configs.set(id, config);
      await readTime(id);
      for (const name of wanted) names.set(imageName(name), id);
      await writeNames();
      await sweep();
      const image = imageOf(id);
      if (image === undefined) throw new Error(`expected a name for the image ${id}`);
      return image;
    });

  return {
    list: () => [...configs.keys()].flatMap((id) => imageOf(id) ?? []),
    find,
    layerFiles: ({ config }) => layersOf(config).map(layerFile),
    add: async (sources, describe, wanted) => {
      const room = settings.quota() - used();
      if (room <= 0) throw noRoom(settings.quota());
      const file = unfinished();
      try {
        const layer = await writeLayer(sources, file, {
          ...settings.limits,
          bytes: Math.min(settings.limits.bytes, room),
        });
        if (layer.entries === 0) throw new ApiError(400, "expected chaincode in the image, found none");
        return await keep(file, layer, describe(`sha256:${layer.digest}`), wanted);
      } finally {
        await rm(file, { force: true });
      }
    },
    adopt: keep,
    tag: (image, name) =>
      inTurn(async () => {
        // The image may have been removed since it was found.
        if (!configs.has(image.id)) throw new ApiError(404, `No such image: sha256:${image.id}`);
        const now = new Date();
        await utimes(imageFile(image.id), now, now);
        times.set(image.id, now);
        names.set(imageName(name), image.id);
        await writeNames();
        await sweep();
      }),
    remove: (reference) =>
      inTurn(async () => {
        const image = find(reference);
        if (image === undefined) throw new ApiError(404, `No such image: ${reference}`);
        const untagged =
          imageId(reference) !== undefined && !names.has(imageName(reference)) ? image.names : [imageName(reference)];
        for (const name of untagged) names.delete(name);
        await writeNames();
        await sweep();
        return configs.has(image.id) ? { untagged } : { untagged, deleted: image.id };
      }),
    used,
    changed: (listener) => void listeners.push(listener),
    unfinished,
  };
}

function noRoom(quota: number): ApiError {
  return new ApiError(
    507,
    `no space left: the images fill the ${quota} bytes that this runner may use; remove superseded ones`,
  );
}

async function readNames(file: string): Promise<Readonly<Record<string, string>>> {
  return labels(parseJson(await readFile(file, "utf8").catch(() => "{}")));
}

async function readConfigs(folder: string): Promise<Map<string, ImageConfig>> {
  const configs = new Map<string, ImageConfig>();
  for (const name of await readdir(folder)) {
    const config = parseConfig(await readFile(join(folder, name), "utf8"));
    if (config !== undefined) configs.set(name.replace(/\.json$/, ""), config);
  }
  return configs;
}

async function readLayers(folder: string): Promise<Map<string, number>> {
  const layers = new Map<string, number>();
  for (const name of await readdir(folder))
    layers.set(name.replace(/\.tar$/, ""), (await stat(join(folder, name))).size);
  return layers;
}

async function removeStrangers(folder: string, known: (name: string) => boolean): Promise<void> {
  for (const name of await readdir(folder))
    if (!known(name)) await rm(join(folder, name), { recursive: true, force: true });
}
