import { request, type IncomingMessage } from "node:http";
import { buffer, text } from "node:stream/consumers";

/** An answer of the daemon other than success. */
class EngineError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(`Error response from daemon: ${message}`);
    this.status = status;
  }
}

/** What the peer asks of a Docker daemon (Docker Engine API 1.41 and later). */
export interface Engine {
  ping(): Promise<void>;
  imageExists(name: string): Promise<boolean>;
  pullImage(name: string): Promise<void>;
  buildImage(name: string, networkMode: string, context: Buffer): Promise<void>;
  createContainer(name: string | undefined, config: object): Promise<string>;
  upload(container: string, path: string, archive: Buffer): Promise<void>;
  download(container: string, path: string): Promise<Buffer>;
  start(container: string): Promise<void>;
  /** The exit code. */
  wait(container: string): Promise<number>;
  logs(container: string): Promise<string>;
  stop(container: string): Promise<void>;
  kill(container: string): Promise<void>;
  remove(container: string, force: boolean): Promise<void>;
}

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly contentType?: string;
}

/** `endpoint` as in CORE_VM_ENDPOINT: unix:///path, tcp://host:port or http://host:port. */
export function newEngine(endpoint: string): Engine {
  const ask = (call: Call): Promise<IncomingMessage> => send(endpoint, call);
  const done = async (call: Call): Promise<void> => {
    (await ask(call)).resume();
  };
  const json = async (call: Call): Promise<unknown> => JSON.parse(await text(await ask(call)));
  const container = (id: string, action: string): string => `/containers/${encodeURIComponent(id)}${action}`;
  return {
    ping: () => done({ method: "GET", path: "/_ping" }),
    imageExists: async (name) => {
      try {
        await done({ method: "GET", path: `/images/${name}/json` });
        return true;
      } catch (error) {
        // The peer looks for these words rather than for the status (dockercontroller.go Build).
        if (error instanceof EngineError && error.message.includes("No such image")) {
          return false;
        }
        throw error;
      }
    },
    pullImage: async (name) => {
      const [, image = name, tag = "latest"] = /^(.*?)(?::([^:/]+))?$/.exec(name) ?? [];
      await progress(await ask({ method: "POST", path: "/images/create", query: { fromImage: image, tag } }));
    },
    buildImage: async (name, networkMode, context) => {
      // Moby's client asks to keep the containers that a build passes through unless told otherwise, which Fabric does not.
      const query = { t: name, networkmode: networkMode, rm: "0" };
      await progress(
        await ask({ method: "POST", path: "/build", query, body: context, contentType: "application/x-tar" }),
      );
    },
    createContainer: async (name, config) => {
      const created = (await json({
        method: "POST",
        path: "/containers/create",
        ...(name === undefined ? {} : { query: { name } }),
        body: Buffer.from(JSON.stringify(config)),
        contentType: "application/json",
      })) as { readonly Id: string };
      return created.Id;
    },
    upload: (id, path, archive) =>
      done({
        method: "PUT",
        path: container(id, "/archive"),
        query: { path },
        body: archive,
        contentType: "application/x-tar",
      }),
    download: async (id, path) =>
      buffer(await ask({ method: "GET", path: container(id, "/archive"), query: { path } })),
    start: (id) => done({ method: "POST", path: container(id, "/start") }),
    wait: async (id) => {
      const ended = (await json({ method: "POST", path: container(id, "/wait") })) as { readonly StatusCode: number };
      return ended.StatusCode;
    },
    logs: async (id) =>
      withoutFrames(
        await buffer(await ask({ method: "GET", path: container(id, "/logs"), query: { stdout: "1", stderr: "1" } })),
      ),
    stop: (id) => done({ method: "POST", path: container(id, "/stop"), query: { t: "0" } }),
    kill: (id) => done({ method: "POST", path: container(id, "/kill") }),
    remove: (id, force) => done({ method: "DELETE", path: container(id, ""), query: force ? { force: "1" } : {} }),
  };
}

function send(endpoint: string, call: Call): Promise<IncomingMessage> {
  const query = new URLSearchParams(call.query ?? {}).toString();
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...target(endpoint),
        method: call.method,
        path: `${call.path}${query === "" ? "" : `?${query}`}`,
        headers: {
          Host: "docker",
          ...(call.contentType === undefined ? {} : { "Content-Type": call.contentType }),
          "Content-Length": call.body?.length ?? 0,
        },
      },
      (response) => {
        if ((response.statusCode ?? 500) < 400) {
          resolve(response);
          return;
        }
        text(response).then((body) => reject(new EngineError(response.statusCode ?? 500, messageIn(body))), reject);
      },
    );
    sent.on("error", (error) =>
      reject(new Error(`Cannot connect to the Docker daemon at ${endpoint}: ${error.message}`, { cause: error })),
    );
    sent.end(call.body);
  });
}

function target(endpoint: string): { readonly socketPath: string } | { readonly host: string; readonly port: string } {
  if (endpoint.startsWith("unix://")) {
    return { socketPath: endpoint.slice("unix://".length) };
  }
  const { hostname, port } = new URL(endpoint.replace(/^tcp:/, "http:"));
  return { host: hostname, port: port || "2375" };
}

function messageIn(body: string): string {
  try {
    return (JSON.parse(body) as { readonly message: string }).message;
  } catch {
    return body.trim();
  }
}

/** A stream of JSON lines, of which one may be an error although the status was 200. */
async function progress(response: IncomingMessage): Promise<void> {
  for (const line of (await text(response)).split("\n").filter((one) => one.trim() !== "")) {
    const { error } = JSON.parse(line) as { readonly error?: string };
    if (error !== undefined) {
      throw new Error(error);
    }
  }
}

/** Output of a container without a terminal comes in frames of eight bytes of header and a payload. */
function withoutFrames(bytes: Buffer): string {
  const parts: Buffer[] = [];
  for (let offset = 0; offset + 8 <= bytes.length;) {
    const length = bytes.readUInt32BE(offset + 4);
    parts.push(bytes.subarray(offset + 8, offset + 8 + length));
    offset += 8 + length;
  }
  return Buffer.concat(parts).toString("utf8");
}
