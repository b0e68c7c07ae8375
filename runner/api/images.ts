import { pipeline } from "node:stream/promises";
import { ApiError } from "../api-error.ts";
import type { ArchiveLimits } from "../archive/budget.ts";
import type { Containers } from "../containers/containers.ts";
import { buildImage } from "../images/build.ts";
import { baseName, imageId, imageName, matches } from "../images/image-name.ts";
import type { Image, ImageStore } from "../images/image-store.ts";
import { loadImages, saveImages } from "../images/transfer.ts";
import type { Toolchain, Toolchains } from "../toolchain.ts";
import { filterValues, isTrue, type Call, type Route } from "./call.ts";
import type { Log } from "../../core/process/log.ts";

export interface ImageRouteSettings {
  readonly store: ImageStore;
  readonly toolchains: Toolchains;
  readonly containers: Containers;
  readonly limits: ArchiveLimits;
  /** As in an image's configuration: "amd64". */
  readonly architecture: string;
  readonly now: () => Date;
  readonly log: Log;
}

/** Images: inspect, list, pull, build, tag, remove, save, load. */
export function imageRoutes(settings: ImageRouteSettings): readonly Route[] {
  const { store, toolchains } = settings;
  const get = (reference: string): Image => {
    const image = store.find(reference);
    if (image === undefined) throw new ApiError(404, `No such image: ${reference}`);
    return image;
  };
  return [
    { method: "GET", pattern: /^\/images\/json$/, answer: ({ query }) => listImages(query, settings) },
    {
      method: "GET",
      pattern: /^\/images\/get$/,
      answer: ({ query, response }) => {
        response.setHeader("Content-Type", "application/x-tar");
        const names = query.getAll("names").flatMap((value) => value.split(","));
        return pipeline(saveImages(names.map(get), store), response);
      },
    },
    {
      method: "GET",
      pattern: /^\/images\/(?<name>.+)\/get$/,
      answer: ({ name, response }) => {
        const image = get(name);
        response.setHeader("Content-Type", "application/x-tar");
        return pipeline(saveImages([image], store), response);
      },
    },
    { method: "GET", pattern: /^\/images\/(?<name>.+)\/json$/, answer: ({ name }) => inspect(name, settings) },
    {
      method: "POST",
      pattern: /^\/images\/create$/,
      answer: ({ query, response }) => pull(query, response, toolchains),
    },
    { method: "POST", pattern: /^\/images\/load$/, answer: (call) => load(call, settings) },
    { method: "POST", pattern: /^\/build$/, answer: (call) => build(call, settings) },
    {
      method: "POST",
      pattern: /^\/images\/(?<name>.+)\/tag$/,
      status: 201,
      answer: ({ name, query }) => {
        const wanted = `${query.get("repo") ?? ""}:${query.get("tag") || "latest"}`;
        if (toolchains.find(wanted) !== undefined)
          throw new ApiError(409, `${wanted} is built in: its name cannot be given to another image`);
        return store.tag(get(name), wanted);
      },
    },
    {
      method: "DELETE",
      pattern: /^\/images\/(?<name>.+)$/,
      answer: ({ name, query }) => remove(name, query, settings),
    },
  ];
}

function inspect(reference: string, { store, toolchains, architecture }: ImageRouteSettings): object {
  const image = store.find(reference);
  if (image !== undefined) return described(image);
  const toolchain = toolchainOf(reference, toolchains);
  if (toolchain === undefined) throw new ApiError(404, `No such image: ${reference}`);
  return {
    Id: `sha256:${toolchain.id}`,
    RepoTags: imageId(reference) === undefined ? [imageName(reference)] : namesOf(toolchain),
    RepoDigests: [],
    Created: "1970-01-01T00:00:00Z",
    Size: 0,
    Architecture: architecture,
    Os: "linux",
    RootFS: { Type: "layers", Layers: [] },
    Config: { Env: [], Cmd: [], Labels: { [builtInLabel]: toolchain.name } },
  };
}

/** The label of an image that is part of the runner: it need not be loaded, and cannot be removed. */
const builtInLabel = "kubectl-fabric.io/built-in";

const namesOf = ({ images }: Toolchain): readonly string[] => images.map((name) => `hyperledger/${name}:latest`);

function toolchainOf(reference: string, toolchains: Toolchains): Toolchain | undefined {
  const digits = imageId(reference);
  const byId = digits === undefined ? undefined : toolchains.all.find(({ id }) => id.startsWith(digits));
  return byId ?? toolchains.find(reference);
}

function described({ id, names, config, size, named }: Image): object {
  return {
    Id: `sha256:${id}`,
    RepoTags: names,
    RepoDigests: [],
    Created: config.created,
    Size: size,
    Architecture: config.architecture,
    Os: config.os,
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Config: config.config,
    Metadata: { LastTagTime: named.toISOString() },
  };
}

export function listImages(
  query: URLSearchParams,
  { store, toolchains, containers }: Pick<ImageRouteSettings, "store" | "toolchains" | "containers">,
): readonly object[] {
  const patterns = filterValues(query, "reference");
  const shown = (names: readonly string[]) =>
    patterns.length === 0 ? names : names.filter((name) => patterns.some((pattern) => matches(name, pattern)));
  const built = store.list().map(({ id, names, config, size }) => ({
    Id: `sha256:${id}`,
    ParentId: "",
    RepoTags: shown(names),
    RepoDigests: [],
    Created: Math.floor(Date.parse(config.created) / 1000) || 0,
    Size: size,
    SharedSize: 0, // each has a directory of its own
    Labels: config.config.Labels,
    Containers: containers.list().filter(({ imageId: used }) => used === id).length,
  }));
  const own = toolchains.all.map((toolchain) => ({
    Id: `sha256:${toolchain.id}`,
    ParentId: "",
    RepoTags: shown(namesOf(toolchain)),
    RepoDigests: [],
    Created: 0,
    Size: 0,
    SharedSize: 0,
    Labels: { [builtInLabel]: toolchain.name },
    Containers: 0,
  }));
  return [...built, ...own].filter(({ RepoTags }) => RepoTags.length > 0);
}

/** There is no registry: an image is a toolchain or does not exist. Clients expect the answer as progress messages. */
function pull(query: URLSearchParams, response: Call["response"], toolchains: Toolchains): void {
  const image = query.get("fromImage") ?? "";
  const tag = query.get("tag");
  const { name } = toolchains.get(tag ? `${image}:${tag}` : image);
  response.setHeader("Content-Type", "application/json");
  response.end(`${JSON.stringify({ status: `${image} is built in, as the toolchain ${name}` })}\n`);
}

/** Answers after the build, so that a failure has a status: peers do not read the progress (dockercontroller.go, buildImage). */
async function build({ query, request, response }: Call, settings: ImageRouteSettings): Promise<void> {
  const names = query.getAll("t");
  if (names.length === 0) throw new ApiError(400, "expected a name for the image (t), found none");
  for (const name of names) {
    if (settings.toolchains.find(name) !== undefined)
      throw new ApiError(409, `${imageName(name)} is built in: it cannot be built`);
  }
  const { id } = await buildImage(request, names, {
    ...settings,
    checkBase: (base) => void settings.toolchains.get(base),
  });
  settings.log.info("built", { image: baseName(names[0] ?? ""), id: id.slice(0, 12) });
  const messages = [
    { stream: `Successfully built ${id.slice(0, 12)}\n`, aux: { ID: `sha256:${id}` } },
    ...names.map((name) => ({ stream: `Successfully tagged ${imageName(name)}\n` })),
  ];
  response.setHeader("Content-Type", "application/json");
  response.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
}

async function load({ request, response }: Call, settings: ImageRouteSettings): Promise<void> {
  const { store, limits, toolchains } = settings;
  const isToolchain = (name: string) => toolchains.find(name) !== undefined;
  const { names, builtIn } = await loadImages(request, { store, limits, isToolchain });
  const messages = [
    ...builtIn.map((name) => ({ status: `${name} is built in: the archive's was left aside` })),
    ...[...names, ...builtIn].map((name) => ({ stream: `Loaded image: ${name}\n` })),
  ];
  settings.log.info("loaded", { images: names.length, builtIn: builtIn.length });
  response.setHeader("Content-Type", "application/json");
  response.end(messages.map((message) => `${JSON.stringify(message)}\n`).join(""));
}

async function remove(
  reference: string,
  query: URLSearchParams,
  { store, containers, toolchains, log }: ImageRouteSettings,
): Promise<readonly object[]> {
  const image = store.find(reference);
  if (image === undefined) {
    if (toolchainOf(reference, toolchains) !== undefined) {
      throw new ApiError(409, `${reference} is built in: it cannot be removed`);
    }
    throw new ApiError(404, `No such image: ${reference}`);
  }
  const user = containers.list().find(({ imageId: used }) => used === image.id);
  const last = image.names.length <= 1 || imageId(reference) !== undefined;
  if (user !== undefined && last && !isTrue(query, "force")) {
    throw new ApiError(
      409,
      `conflict: unable to remove repository reference "${reference}" (must force) - container ${user.id.slice(0, 12)} is using its referenced image ${image.id.slice(0, 12)}`,
    );
  }
  const { untagged, deleted } = await store.remove(reference);
  log.info("removed", { image: reference, deleted: deleted !== undefined });
  return [
    ...untagged.map((name) => ({ Untagged: name })),
    ...(deleted === undefined ? [] : [{ Deleted: `sha256:${deleted}` }]),
  ];
}
