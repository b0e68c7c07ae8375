import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Transform, type Readable } from "node:stream";
import { daemonMessages, newLayerCount } from "./daemon-messages.ts";
import { isAbsent, type Engine } from "./engine.ts";

/** An image as a daemon lists it. */
export interface ImageSummary {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** Bytes. */
  readonly Size: number;
  /** Seconds since 1970: when the image was built, on any machine. */
  readonly Created: number;
  /** The image that it was built on by this daemon; empty for an image that was pulled or loaded. */
  readonly ParentId?: string;
}

/** An image in detail. */
export interface Image {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly Size: number;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  /** RFC 3339. */
  readonly Created?: string;
  readonly Metadata?: {
    /** RFC 3339: when this daemon gave it a name; of the year 1 for an image that was only loaded. */
    readonly LastTagTime?: string;
  };
  readonly RootFS: { readonly Type: string; readonly Layers?: readonly string[] };
  readonly Config?: {
    readonly Env?: readonly string[] | null;
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
  };
}

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the progress, in words. */
  readonly progress?: ((text: string) => void) | undefined;
}

/** The images that have a name; with a reference pattern, those that match it ("dev-*"). */
export async function listImages(
  engine: Engine,
  reference?: string,
  signal?: AbortSignal,
): Promise<readonly ImageSummary[]> {
  const filters = reference === undefined ? undefined : JSON.stringify({ reference: [reference] });
  return (await engine.call({ method: "GET", path: "/images/json", query: { filters }, signal })) as ImageSummary[];
}

/** An image by name or id; undefined when the daemon has none. */
export async function inspectImage(engine: Engine, name: string, signal?: AbortSignal): Promise<Image | undefined> {
  try {
    return (await engine.call({ method: "GET", path: `/images/${encodeURI(name)}/json`, signal })) as Image;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Adds a name to an image. */
export async function tagImage(engine: Engine, image: string, name: string, signal?: AbortSignal): Promise<void> {
  const { repo, tag } = splitName(name);
  await engine.call({ method: "POST", path: `/images/${encodeURI(image)}/tag`, query: { repo, tag }, signal });
}

/** Removes a name, and with its last name the image. True when there was one. Throws EngineError `conflict` while a container uses it. */
export async function removeImage(engine: Engine, name: string, signal?: AbortSignal): Promise<boolean> {
  try {
    await engine.call({ method: "DELETE", path: `/images/${encodeURI(name)}`, signal });
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Loads a docker-archive from a file; gives the names of its images. */
export async function loadImageFile(
  engine: Engine,
  file: string,
  options: TransferOptions = {},
): Promise<readonly string[]> {
  const { size } = await stat(file);
  return loadImage(engine, createReadStream(file, { highWaterMark: 128 * 1024 }), { ...options, bytes: size });
}

/**
 * Loads a docker-archive; gives the names of its images ("sha256:..." for one without).
 * Layers that the daemon already has may be left out of the archive (Docker 20.10 and 28.5).
 */
export async function loadImage(
  engine: Engine,
  archive: Readable,
  { signal, progress = () => {}, bytes }: TransferOptions & { readonly bytes?: number } = {},
): Promise<readonly string[]> {
  const counted = archive.pipe(countBytes((sent) => progress(megabytes(sent, bytes))));
  archive.once("error", (error) => counted.destroy(error));
  counted.once("close", () => archive.destroy());
  const body = await engine.stream({
    method: "POST",
    path: "/images/load",
    query: { quiet: true },
    body: counted,
    signal,
  });
  const names: string[] = [];
  for await (const { stream = "" } of daemonMessages(body, "load an image")) {
    const name = /^Loaded image(?: ID)?: (\S+)/.exec(stream)?.[1];
    if (name !== undefined) names.push(name);
  }
  return names;
}

/** A docker-archive of images, as a stream. */
export async function saveImages(engine: Engine, names: readonly string[], signal?: AbortSignal): Promise<Readable> {
  const query = new URLSearchParams(names.map((name) => ["names", name])).toString();
  return engine.stream({ method: "GET", path: `/images/get?${query}`, signal });
}

/** Pulls an image from its registry. Throws `rejected` with the daemon's reason. */
export async function pullImage(
  engine: Engine,
  name: string,
  { signal, progress = () => {} }: TransferOptions = {},
): Promise<void> {
  const { repo, tag } = splitName(name);
  const body = await engine.stream({ method: "POST", path: "/images/create", query: { fromImage: repo, tag }, signal });
  const count = newLayerCount();
  for await (const message of daemonMessages(body, `pull ${name}`)) {
    const text = count(message);
    if (text !== undefined) progress(text);
  }
}

/** Splits "registry:5000/a/b:1" into repository and tag. A digest becomes the tag, as the daemon wants it. */
export function splitName(name: string): { readonly repo: string; readonly tag: string } {
  const digest = name.indexOf("@");
  if (digest >= 0) return { repo: name.slice(0, digest), tag: name.slice(digest + 1) };
  const colon = name.lastIndexOf(":");
  return colon > name.lastIndexOf("/")
    ? { repo: name.slice(0, colon), tag: name.slice(colon + 1) }
    : { repo: name, tag: "latest" };
}

function countBytes(report: (bytes: number) => void): Transform {
  let bytes = 0;
  let told = 0;
  return new Transform({
    highWaterMark: 128 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes - told >= 1_000_000) report((told = bytes));
      done(null, chunk);
    },
  });
}

function megabytes(sent: number, total: number | undefined): string {
  const rounded = (bytes: number) => Math.round(bytes / 1e6);
  return total === undefined ? `${rounded(sent)} MB sent` : `${rounded(sent)} of ${rounded(total)} MB sent`;
}
