import { lstat, readlink, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { ApiError } from "../api-error.ts";
import type { ArchiveLimits } from "../archive/budget.ts";
import { entryPath } from "../archive/entry.ts";
import { packTree, topName } from "../archive/pack.ts";
import { unpack } from "../archive/unpack.ts";
import { statusText, type Container, type ContainerRequest } from "../containers/container.ts";
import type { Containers } from "../containers/containers.ts";
import { frame, selectLog, type LogSelection, type OutputChunk } from "../containers/output.ts";
import { isRecord, labels, strings } from "../images/image-config.ts";
import { filterValues, isTrue, readJson, type Call, type Route } from "./call.ts";
import { newReader } from "./reader.ts";

export interface ContainerRouteSettings {
  readonly containers: Containers;
  readonly limits: ArchiveLimits;
  readonly now: () => Date;
}

/** The media type of output without a terminal, since API 1.42. */
export const multiplexedStream = "application/vnd.docker.multiplexed-stream";

/** Containers: create, start, wait, stop, kill, remove, list, inspect, logs, archives. Attach is an upgrade of the connection. */
export function containerRoutes(settings: ContainerRouteSettings): readonly Route[] {
  const { containers, now } = settings;
  const one = (action: string) => new RegExp(`^/containers/(?<name>[^/]+)${action}$`);
  return [
    { method: "GET", pattern: /^\/containers\/json$/, answer: ({ query }) => listContainers(query, containers, now()) },
    { method: "POST", pattern: /^\/containers\/create$/, status: 201, answer: (call) => create(call, containers) },
    { method: "GET", pattern: one("/json"), answer: ({ name }) => inspect(containers.get(name)) },
    { method: "GET", pattern: one("/logs"), answer: (call) => logs(call, containers.get(call.name)) },
    {
      method: "POST",
      pattern: one("/start"),
      status: 204,
      answer: ({ name }) => containers.start(containers.get(name)),
    },
    { method: "POST", pattern: one("/wait"), answer: (call) => wait(call, containers.get(call.name)) },
    {
      method: "POST",
      pattern: one("/stop"),
      status: 204,
      answer: ({ name, query }) => {
        const container = containers.get(name);
        if (container.state.status !== "running") throw new ApiError(304, "not running");
        return containers.stop(container, seconds(query.get("t")));
      },
    },
    {
      method: "POST",
      pattern: one("/kill"),
      status: 204,
      answer: async ({ name, query }) => {
        const container = containers.get(name);
        if (container.state.status !== "running") {
          throw new ApiError(409, `cannot kill container: ${name}: container ${container.id} is not running`);
        }
        if (/^(SIG)?TERM$|^15$/.test(query.get("signal") ?? "")) container.state.process.ask();
        else await containers.stop(container, 0);
      },
    },
    { method: "PUT", pattern: one("/archive"), answer: (call) => putArchive(call, settings) },
    { method: "GET", pattern: one("/archive"), answer: (call) => getArchive(call, containers.get(call.name)) },
    { method: "HEAD", pattern: one("/archive"), answer: (call) => getArchive(call, containers.get(call.name)) },
    {
      method: "DELETE",
      pattern: one(""),
      status: 204,
      answer: ({ name, query }) => {
        const container = containers.get(name);
        if (container.state.status === "running" && !isTrue(query, "force")) {
          throw new ApiError(
            409,
            `cannot remove container "/${container.name}": container is running: stop the container before removing or force remove`,
          );
        }
        return containers.remove(container);
      },
    },
  ];
}

/** Seconds before a stop uses force. The default is Docker's, and used for a negative number, too, which means no limit in Docker. */
function seconds(text: string | null): number {
  const given = Number(text ?? 10);
  return Number.isInteger(given) && given >= 0 ? given : 10;
}

async function create({ request, query }: Call, containers: Containers): Promise<object> {
  const container = await containers.create(parseRequest(await readJson(request), query.get("name") || undefined));
  return { Id: container.id, Warnings: [] };
}

function parseRequest(body: Readonly<Record<string, unknown>>, name: string | undefined): ContainerRequest {
  const host = isRecord(body["HostConfig"]) ? body["HostConfig"] : {};
  const image = body["Image"];
  const command = strings(body["Cmd"]);
  if (typeof image !== "string" || image === "") throw new ApiError(400, "expected an Image, found none");
  if (command.length === 0)
    throw new ApiError(400, "expected a Cmd, found none: toolchains have no command of their own");
  if (strings(body["Entrypoint"]).length > 0) throw new ApiError(501, "not part of this runner: Entrypoint");
  const memory = host["Memory"];
  const network = host["NetworkMode"];
  return {
    name: name?.replace(/^\//, ""),
    image,
    command,
    environment: strings(body["Env"]),
    labels: labels(body["Labels"]),
    networkMode: typeof network === "string" && network !== "" ? network : "default",
    memory: typeof memory === "number" && memory > 0 ? memory : 0,
  };
}

export function listContainers(query: URLSearchParams, containers: Containers, now: Date): readonly object[] {
  const wanted = {
    name: filterValues(query, "name"),
    id: filterValues(query, "id"),
    status: filterValues(query, "status"),
    label: filterValues(query, "label"),
    ancestor: filterValues(query, "ancestor"),
  };
  const all = isTrue(query, "all") || wanted.status.length > 0;
  const any = (values: readonly string[], test: (value: string) => boolean) => values.length === 0 || values.some(test);
  return containers
    .list()
    .filter(
      (container) =>
        (all || container.state.status === "running") &&
        any(wanted.name, (name) => nameMatches(container.name, name)) &&
        any(wanted.id, (id) => container.id.startsWith(id)) &&
        any(wanted.status, (status) => container.state.status === status) &&
        any(wanted.ancestor, (image) => [container.request.image, container.imageId].includes(image)) &&
        wanted.label.every((label) => hasLabel(container, label)),
    )
    .map((container) => ({
      Id: container.id,
      Names: [`/${container.name}`],
      Image: container.request.image,
      ImageID: `sha256:${container.imageId}`,
      Command: container.request.command.join(" "),
      Created: Math.floor(container.created.getTime() / 1000),
      Ports: [],
      Labels: container.labels,
      State: container.state.status,
      Status: statusText(container.state, now),
      HostConfig: { NetworkMode: container.request.networkMode },
      NetworkSettings: { Networks: {} },
      Mounts: [],
    }));
}

/** Docker's pattern is a regular expression, for the name with or without its slash. Here only "^" and "$" count; the rest is text. */
function nameMatches(name: string, pattern: string): boolean {
  const plain = pattern.replace(/^\^?\/?/, "").replace(/\$$/, "");
  const [fromStart, toEnd] = [pattern.startsWith("^"), pattern.endsWith("$")];
  if (fromStart && toEnd) return name === plain;
  return fromStart ? name.startsWith(plain) : toEnd ? name.endsWith(plain) : name.includes(plain);
}

function hasLabel({ labels: own }: Container, label: string): boolean {
  const equals = label.indexOf("=");
  return equals < 0 ? own[label] !== undefined : own[label.slice(0, equals)] === label.slice(equals + 1);
}

const zeroTime = "0001-01-01T00:00:00Z";

function inspect(container: Container): object {
  const { id, name, imageId, created, request, state, imageEnvironment } = container;
  return {
    Id: id,
    Name: `/${name}`,
    Created: created.toISOString(),
    Image: `sha256:${imageId}`,
    Path: request.command[0],
    Args: request.command.slice(1),
    State: {
      Status: state.status,
      Running: state.status === "running",
      Paused: false,
      Restarting: false,
      Dead: false,
      OOMKilled: state.status === "exited" && state.error.startsWith("memory"),
      Pid: state.status === "running" ? state.process.pid : 0,
      ExitCode: state.status === "exited" ? state.code : 0,
      Error: state.status === "exited" ? state.error : "",
      StartedAt: state.status === "created" ? zeroTime : state.started.toISOString(),
      FinishedAt: state.status === "exited" ? state.finished.toISOString() : zeroTime,
    },
    Config: {
      Image: request.image,
      Cmd: request.command,
      Env: [...imageEnvironment, ...request.environment],
      Labels: container.labels,
      Tty: false,
      OpenStdin: false,
    },
    HostConfig: { NetworkMode: request.networkMode, Memory: request.memory },
    NetworkSettings: { Networks: {} },
    Mounts: [],
  };
}

/** The headers go at once: clients wait for them before they start the container (moby client, ContainerWait). */
async function wait({ query, response }: Call, container: Container): Promise<void> {
  const condition = query.get("condition") || "not-running";
  if (condition === "removed") container.removed.promise.catch(() => undefined);
  response.writeHead(200, { "Content-Type": "application/json" }).flushHeaders();
  const ended =
    condition === "not-running" && container.state.status === "created" ? Promise.resolve(0) : container.exit.promise;
  const gone = new Promise<undefined>((resolve) => response.once("close", () => resolve(undefined)));
  const removed = container.removed.promise.then(() =>
    container.state.status === "exited" ? container.state.code : 0,
  );
  const code = await Promise.race([condition === "removed" ? removed : Promise.race([ended, removed]), gone]);
  if (code !== undefined) response.end(JSON.stringify({ StatusCode: code }));
}

async function logs({ query, response }: Call, container: Container): Promise<void> {
  const selection = parseSelection(query);
  if (!selection.stdout && !selection.stderr) {
    throw new ApiError(400, "Bad parameters: you must choose at least one stream");
  }
  response.writeHead(200, { "Content-Type": multiplexedStream }).flushHeaders();
  for (const chunk of selectLog(container.output.kept, selection)) response.write(frame(chunk));
  if (!isTrue(query, "follow")) {
    response.end();
    return;
  }
  const reader = newReader(response);
  await new Promise<void>((resolve) => {
    const write = (chunk: OutputChunk) =>
      selectLog([chunk], { ...selection, tail: undefined }).forEach((part) => reader.read(part));
    const stop = container.output.follow(write, resolve);
    response.once("close", () => {
      stop();
      resolve();
    });
  });
  reader.end();
}

function parseSelection(query: URLSearchParams): LogSelection {
  const tail = query.get("tail") ?? "all";
  return {
    stdout: isTrue(query, "stdout"),
    stderr: isTrue(query, "stderr"),
    timestamps: isTrue(query, "timestamps"),
    since: (Number(query.get("since") ?? 0) || 0) * 1000,
    tail: /^\d+$/.test(tail) ? Number(tail) : undefined,
  };
}

async function putArchive(
  { name, query, request }: Call,
  { containers, limits }: ContainerRouteSettings,
): Promise<void> {
  const container = containers.get(name);
  if (container.state.status === "running") {
    // A running process could replace a directory by a link meanwhile.
    throw new ApiError(409, `cannot copy into ${container.name} while it runs`);
  }
  await unpack(request, container.root, query.get("path") ?? "/", limits);
}

async function getArchive({ query, response, method }: Call, container: Container): Promise<void> {
  if (container.state.status === "running") {
    // As above, and links would lead out of the container. Peers read what a build has left (platforms/util/utils.go, DockerBuild).
    throw new ApiError(409, `cannot copy from ${container.name} while it runs`);
  }
  const asked = query.get("path") ?? "";
  const path = await within(container.root, asked);
  if (path === undefined) {
    throw new ApiError(404, `Could not find the file ${asked} in container ${container.name}`);
  }
  const about = await lstat(path);
  const described = {
    name: basename(asked) || "/",
    size: about.size,
    // Go's os.FileMode has the kind in its upper bits.
    mode: (about.mode & 0o777) + (about.isDirectory() ? 2 ** 31 : about.isSymbolicLink() ? 2 ** 27 : 0),
    mtime: about.mtime.toISOString(),
    linkTarget: about.isSymbolicLink() ? await readlink(path) : "",
  };
  response.writeHead(200, {
    "Content-Type": "application/x-tar",
    "X-Docker-Container-Path-Stat": Buffer.from(JSON.stringify(described)).toString("base64"),
  });
  if (method === "HEAD") response.end();
  else await pipeline(packTree(path, topName(asked)), response);
}

/** The file of a path within a container; undefined when it does not exist, or links lead out of the container. */
async function within(root: string, asked: string): Promise<string | undefined> {
  const path = join(root, entryPath(asked));
  if (path === root) return root;
  const parent = await realpath(dirname(path)).catch(() => "");
  const inside = `${parent}/`.startsWith(`${await realpath(root)}/`);
  const file = join(parent, basename(path));
  const found = inside && (await lstat(file).catch(() => undefined)) !== undefined;
  return found ? file : undefined;
}
