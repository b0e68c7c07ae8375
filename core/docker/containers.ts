import type { Readable } from "node:stream";
import { isAbsent, type Engine } from "./engine.ts";
import { logFrames } from "./log-frames.ts";

/** A container as a daemon lists it. */
export interface ContainerSummary {
  readonly Id: string;
  /** Each with a slash before it. */
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly State: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  readonly Status: string;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly Labels: Readonly<Record<string, string>>;
}

/** A container in detail. */
export interface Container {
  readonly Id: string;
  readonly Name: string;
  readonly Image: string;
  readonly Created: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly Error: string;
    readonly OOMKilled: boolean;
    readonly StartedAt: string;
    readonly FinishedAt: string;
  };
  readonly Config: {
    readonly Image: string;
    readonly Tty: boolean;
    readonly Env: readonly string[] | null;
    readonly Cmd: readonly string[] | null;
    readonly Labels: Readonly<Record<string, string>> | null;
  };
  readonly HostConfig: { readonly NetworkMode: string };
}

/** All containers, also those that have ended; with `name`, only those whose name contains it. */
export async function listContainers(
  engine: Engine,
  name?: string,
  signal?: AbortSignal,
): Promise<readonly ContainerSummary[]> {
  const filters = name === undefined ? undefined : JSON.stringify({ name: [name] });
  const query = { all: true, filters };
  return (await engine.call({ method: "GET", path: "/containers/json", query, signal })) as ContainerSummary[];
}

/** A container by name or id; undefined when the daemon has none. */
export async function inspectContainer(
  engine: Engine,
  name: string,
  signal?: AbortSignal,
): Promise<Container | undefined> {
  try {
    return (await engine.call({
      method: "GET",
      path: `/containers/${encodeURIComponent(name)}/json`,
      signal,
    })) as Container;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Creates a container that runs a shell script in an image, without starting it; returns its id. */
export async function createContainer(
  engine: Engine,
  { image, script }: { readonly image: string; readonly script: string },
  signal?: AbortSignal,
): Promise<string> {
  const body = { Image: image, Cmd: ["/bin/sh", "-c", script], AttachStdout: true, AttachStderr: true };
  const created = await engine.call({ method: "POST", path: "/containers/create", body, signal });
  return (created as { readonly Id: string }).Id;
}

export async function startContainer(engine: Engine, name: string, signal?: AbortSignal): Promise<void> {
  await engine.call({ method: "POST", path: `/containers/${encodeURIComponent(name)}/start`, signal });
}

/** Waits until a container has ended; gives its exit code. */
export async function waitForContainer(engine: Engine, name: string, signal?: AbortSignal): Promise<number> {
  const path = `/containers/${encodeURIComponent(name)}/wait`;
  const { StatusCode } = (await engine.call({ method: "POST", path, signal })) as { readonly StatusCode: number };
  return StatusCode;
}

/** Unpacks a tar, compressed or not, into a folder of a container. */
export async function putArchive(
  engine: Engine,
  name: string,
  folder: string,
  archive: Readable,
  signal?: AbortSignal,
): Promise<void> {
  const path = `/containers/${encodeURIComponent(name)}/archive`;
  await engine.call({ method: "PUT", path, query: { path: folder }, body: archive, signal });
}

/** A path of a container as a stream of a tar. */
export async function getArchive(
  engine: Engine,
  name: string,
  source: string,
  signal?: AbortSignal,
): Promise<Readable> {
  const path = `/containers/${encodeURIComponent(name)}/archive`;
  return engine.stream({ method: "GET", path, query: { path: source }, signal });
}

/** Stops a container, by force after 2 seconds (a shell that runs npm lets no signal through); tells whether it ran. */
export async function stopContainer(engine: Engine, name: string, signal?: AbortSignal): Promise<boolean> {
  const path = `/containers/${encodeURIComponent(name)}/stop`;
  try {
    // 204 stopped, 304 had stopped already.
    const answer = await engine.stream({ method: "POST", path, query: { t: 2 }, signal });
    answer.resume();
    return answer.statusCode === 204;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Stops and removes a container with its anonymous volumes. True when there was one. */
export async function removeContainer(engine: Engine, name: string, signal?: AbortSignal): Promise<boolean> {
  const query = { force: true, v: true };
  try {
    await engine.call({ method: "DELETE", path: `/containers/${encodeURIComponent(name)}`, query, signal });
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

export interface ContainerLogOptions {
  readonly follow?: boolean | undefined;
  /** Only the last lines. */
  readonly tailLines?: number | undefined;
  readonly timestamps?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a container wrote, both streams in the order of writing. Throws EngineError `not-found` without container. */
export async function containerLog(engine: Engine, name: string, options: ContainerLogOptions = {}): Promise<Readable> {
  const { follow, tailLines: tail, timestamps, signal } = options;
  const body = await engine.stream({
    method: "GET",
    path: `/containers/${encodeURIComponent(name)}/logs`,
    query: { stdout: true, stderr: true, follow, tail, timestamps },
    signal,
  });
  // A container with a terminal has one raw stream; before API 1.42 the media type does not tell.
  const multiplexed = body.headers["content-type"] === "application/vnd.docker.multiplexed-stream";
  const raw = !multiplexed && (await inspectContainer(engine, name, signal))?.Config.Tty === true;
  if (raw) return body;
  const frames = logFrames();
  body.once("error", (error) => frames.destroy(error));
  frames.once("close", () => body.destroy());
  return body.pipe(frames);
}
