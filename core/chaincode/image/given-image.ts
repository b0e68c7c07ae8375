import { createReadStream } from "node:fs";
import { open, readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { buffer } from "node:stream/consumers";
import { createGunzip } from "node:zlib";
import { emptyImage } from "../../docker/composed-image.ts";
import type { ImageContent } from "../../docker/image-content.ts";
import { inspectImage, pullImage, type Image } from "../../docker/images.ts";
import { checkedConfig, eachFile } from "../../docker/saved-image.ts";
import { FabricError, messageOf } from "../../error.ts";
import type { ChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import type { ChaincodeLanguage } from "../../fabric/package/package-rules.ts";
import type { StepContext } from "../../engine/step.ts";
import { archivedImages } from "./image-archive.ts";
import { architectureOfExecutable, executableLayer, isExecutable } from "./executable.ts";
import { imagePackage } from "./image-package.ts";
import { composedSource, daemonSource, type ImageSource, type LayerReader } from "./image-source.ts";
import type { SeedPeer } from "./seed-peer.ts";
import { labelledLanguage, languageOfImage } from "./start-command.ts";

/** An image that is to be run instead of what a package would give. */
export type GivenImage = (reader: LayerReader, context: StepContext) => Promise<ImageSource>;

export interface ImageRequest {
  /** A file (an archive by `docker save`, or a static program for Linux), or an image that a peer's daemon has or can pull. */
  readonly reference: string;
  /** Of the package. */
  readonly label: string;
  /** How a peer is to start it; found out unless told. */
  readonly language?: ChaincodeLanguage | undefined;
}

export interface FoundImage {
  /** What stands for it in the lifecycle. */
  readonly pkg: ChaincodePackage;
  readonly image: GivenImage;
}

/** Finds an image, and checks that a peer could start it. Throws `usage`, `invalid`, or `not-found` when nobody has it. */
export async function findImage(
  peers: readonly SeedPeer[],
  request: ImageRequest,
  signal: AbortSignal,
): Promise<FoundImage> {
  const kind = await fileKind(request.reference);
  if (kind === "executable") return fromExecutable(request);
  if (kind === "archive") return fromArchive(request);
  return fromDaemon(peers, request, signal);
}

async function fileKind(path: string): Promise<"executable" | "archive" | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (!found) {
    if (!/^[./]|\.(tar|tgz|tar\.gz)$/.test(path)) return undefined;
    throw new FabricError("usage", `expected an image or a file, found no file ${path}`);
  }
  if (!found.isFile()) throw new FabricError("usage", `expected an image or a file, found the folder ${path}`);
  return isExecutable(await headOf(path, 4)) ? "executable" : "archive";
}

async function headOf(path: string, bytes: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    return (await file.read(Buffer.alloc(bytes), 0, bytes, 0)).buffer;
  } finally {
    await file.close();
  }
}

/** An image of nothing but a program, made here. */
async function fromExecutable({ reference, label, language }: ImageRequest): Promise<FoundImage> {
  if (language !== undefined && language !== "golang") {
    throw new FabricError("usage", `a program is started as golang is, found --language ${language}`);
  }
  const program = await readFile(reference);
  const base = emptyImage(architectureOfExecutable(program, basename(reference)));
  const addition = { env: [], labels: { "org.hyperledger.fabric.chaincode.type": "GOLANG" } };
  const source = async (reader: LayerReader): Promise<ImageSource> =>
    composedSource(base, undefined, await reader.store.keepNew(executableLayer(program)), addition);
  const { id } = await withoutStore(source);
  return { pkg: await imagePackage(label, "golang", id), image: source };
}

/** The image's ID depends on its layer's digest. So the layer is made twice: here to know the ID, and again when the image is sent. */
async function withoutStore(source: (reader: LayerReader) => Promise<ImageSource>): Promise<ImageSource> {
  const { newLayerStore } = await import("../../docker/layer-store.ts");
  const { newLayerReader } = await import("./image-source.ts");
  const store = newLayerStore();
  try {
    return await source(newLayerReader(store));
  } finally {
    await store.close();
  }
}

interface ImageConfig {
  readonly architecture?: string;
  readonly config?: { readonly Labels?: Readonly<Record<string, string>> | null };
  readonly rootfs?: { readonly diff_ids?: readonly string[] };
}

/** The only image of an archive. Its layers may be large and are not searched: the user or the image's label says how to start it. */
async function fromArchive({ reference, label, language }: ImageRequest): Promise<FoundImage> {
  const images = await archivedImages(reference);
  const [image] = images;
  if (!image || images.length > 1) {
    throw new FabricError("usage", `expected one image in ${reference}, found ${images.length}`, {
      hint: "docker save IMAGE > FILE",
    });
  }
  const parts = await archiveParts(reference, image.id);
  const { architecture = "", config, rootfs } = JSON.parse(parts.config.toString()) as ImageConfig;
  const layers = rootfs?.diff_ids ?? [];
  if (layers.length !== parts.layers.length) {
    throw new FabricError("invalid", `expected ${layers.length} layers in ${reference}, found ${parts.layers.length}`);
  }
  const type = language ?? labelledLanguage(config?.Labels);
  if (type === undefined) {
    throw new FabricError("usage", `expected ${reference} to say by a label how a peer starts it, found none`, {
      hint: [
        "say it: ",
        { setting: "language", to: "golang" },
        " (an executable chaincode on the PATH), node (npm start in /usr/local/src) or java",
      ],
    });
  }
  const content: ImageContent = { id: image.id, config: parts.config, layers };
  const names = new Map(parts.layers.map((name, index) => [name, layers[index] ?? ""]));
  const source: GivenImage = (reader) =>
    Promise.resolve({
      id: image.id,
      layers,
      architecture,
      from: basename(reference),
      async read(wanted) {
        await reader.ensure(wanted, (missing) => keepLayers(reference, names, missing, reader));
        return content;
      },
    });
  return { pkg: await imagePackage(label, type, image.id), image: source };
}

async function archiveParts(
  file: string,
  id: string,
): Promise<{ readonly config: Buffer; readonly layers: readonly string[] }> {
  const manifest = await fileInArchive(file, "manifest.json");
  const [entry] = JSON.parse(manifest?.toString() ?? "[]") as {
    readonly Config: string;
    readonly Layers: readonly string[];
  }[];
  const config = entry && (await fileInArchive(file, entry.Config));
  return { config: checkedConfig(config, id), layers: entry?.Layers ?? [] };
}

async function fileInArchive(file: string, wanted: string): Promise<Buffer | undefined> {
  let found: Buffer | undefined;
  await eachFile(await archiveStreams(file), new Set([wanted]), async (_, content) => {
    found = await buffer(content);
  });
  return found;
}

/** A layer may itself be compressed (an archive by other tools): its digest is that of its tar. */
async function keepLayers(
  file: string,
  names: ReadonlyMap<string, string>,
  missing: readonly string[],
  reader: LayerReader,
): Promise<void> {
  const wanted = new Set([...names].flatMap(([name, diffId]) => (missing.includes(diffId) ? [name] : [])));
  await eachFile(await archiveStreams(file), wanted, async (name, content) => {
    await reader.store.keep(names.get(name) ?? "", content);
  });
}

async function archiveStreams(file: string) {
  const [first, second] = await headOf(file, 2);
  const bytes = createReadStream(file, { highWaterMark: 128 * 1024 });
  // RFC 1952: a gzip file begins with 1f 8b.
  return first === 0x1f && second === 0x8b ? ([bytes, createGunzip()] as const) : ([bytes] as const);
}

/** The first daemon that has it, or else pulls it: the others get it from there. */
async function fromDaemon(
  peers: readonly SeedPeer[],
  { reference, label, language }: ImageRequest,
  signal: AbortSignal,
): Promise<FoundImage> {
  const { peer, image } = (await holder(peers, reference, signal)) ?? (await puller(peers, reference, signal));
  const type = await peer.withDaemon(signal, ({ engine }) => languageOfImage(engine, reference, language, signal));
  return {
    pkg: await imagePackage(label, type, image.Id),
    image: (reader) => Promise.resolve(daemonSource(peer, image, reader)),
  };
}

interface Holder {
  readonly peer: SeedPeer;
  readonly image: Image;
}

async function holder(peers: readonly SeedPeer[], reference: string, signal: AbortSignal): Promise<Holder | undefined> {
  const looks = await Promise.allSettled(
    peers.map((peer) => peer.withDaemon(signal, ({ engine }) => inspectImage(engine, reference, signal))),
  );
  const index = looks.findIndex((look) => look.status === "fulfilled" && look.value !== undefined);
  const [peer, look] = [peers[index], looks[index]];
  return peer && look?.status === "fulfilled" && look.value ? { peer, image: look.value } : undefined;
}

async function puller(peers: readonly SeedPeer[], reference: string, signal: AbortSignal): Promise<Holder> {
  const failures: unknown[] = [];
  for (const peer of peers) {
    try {
      const image = await peer.withDaemon(signal, async ({ engine }) => {
        await pullImage(engine, reference, { signal });
        return inspectImage(engine, reference, signal);
      });
      if (image) return { peer, image };
    } catch (error) {
      if (signal.aborted) throw error;
      failures.push(error);
      // A daemon that refuses speaks for the registry, and the other daemons are not asked. Only daemons that cannot be reached are passed
      // over.
      if (error instanceof FabricError && error.code === "rejected") break;
    }
  }
  throw new FabricError(
    "not-found",
    `no peer's daemon has ${reference} or can pull it: ${failures.map(messageOf).join("; ")}`,
    {
      hint: [
        "docker save IMAGE > FILE where it is, then ",
        { setting: "image", to: "FILE" },
        "; or ",
        { setting: "loadImage", to: "FILE" },
        " beforehand",
      ],
      cause: failures[0],
    },
  );
}
