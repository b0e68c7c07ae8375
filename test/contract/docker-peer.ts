import { spawn } from "node:child_process";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { Readable, Transform } from "node:stream";
import { text } from "node:stream/consumers";
import type { SeedPeer } from "../../core/chaincode/image/seed-peer.ts";
import { commandFailed, type Daemon } from "../../core/docker/daemon.ts";
import { EngineError, type Engine, type EngineRequest } from "../../core/docker/engine.ts";
import type { DockerDaemon } from "./docker.ts";

/** What went over a connection with a daemon. */
export interface Traffic {
  bytes: number;
}

/** A daemon, or what speaks as one, and where its client finds both. */
type LocalDaemon = Pick<DockerDaemon, "endpoint" | "environment">;

/** A peer beside a daemon of this machine, as the plugin sees one in a Pod. */
export function dockerPeer(
  host: string,
  peerId: string,
  docker: LocalDaemon,
  traffic: Traffic = { bytes: 0 },
): SeedPeer {
  return {
    host,
    names: () => Promise.resolve({ networkId: "dev", peerId }),
    buildSettings: () => Promise.resolve({ nodeRuntime: "hyperledger/fabric-nodeenv:2.5", version: "v3.1.5" }),
    withDaemon: (_, use) => use(localDaemon(docker, traffic)),
  };
}

/** The port of core/docker without a cluster: HTTP on the socket, commands as processes of this machine. */
export function localDaemon({ endpoint, environment }: LocalDaemon, traffic: Traffic): Daemon {
  const socketPath = endpoint.replace("unix://", "");
  return { engine: localEngine(socketPath, traffic), run: (command) => run(command, environment, traffic) };
}

function localEngine(socketPath: string, traffic: Traffic): Engine {
  const stream = async (request: EngineRequest): Promise<IncomingMessage> => {
    const answer = await send(socketPath, request, traffic);
    if ((answer.statusCode ?? 500) < 400) return answer;
    // The answer to a HEAD has no body.
    const { message = "" } = JSON.parse((await text(answer)) || "{}") as { readonly message?: string };
    throw new EngineError(answer.statusCode ?? 500, message, socketPath);
  };
  return {
    target: { namespace: "none", pod: socketPath, container: "none" },
    stream,
    call: async (request) => {
      const answer = await text(await stream(request));
      return answer.trim() === "" ? undefined : (JSON.parse(answer) as unknown);
    },
    close: () => {},
  };
}

function send(
  socketPath: string,
  { method, path, query = {}, body }: EngineRequest,
  traffic: Traffic,
): Promise<IncomingMessage> {
  const set = Object.entries(query).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
  const search = new URLSearchParams(set).toString();
  const type = body instanceof Readable ? "application/x-tar" : "application/json";
  const headers = body === undefined ? {} : { "content-type": type };
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, method, path: search === "" ? path : `${path}?${search}`, headers });
    sent.once("response", (answer) => {
      answer.on("data", (chunk: Buffer) => (traffic.bytes += chunk.length));
      answer.pause();
      resolve(answer);
    });
    sent.once("error", reject);
    if (body instanceof Readable) {
      body.once("error", (error) => sent.destroy(error));
      body.pipe(counted(traffic)).pipe(sent);
    } else sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function run(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  traffic: Traffic,
): Promise<Readable> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "close") as Promise<[number]>;
  const stderr = text(child.stderr);
  async function* output(): AsyncGenerator<Buffer> {
    for await (const chunk of child.stdout.pipe(counted(traffic)) as AsyncIterable<Buffer>) yield chunk;
    const [code] = await exited;
    if (code !== 0) throw commandFailed(command, code, await stderr);
  }
  await once(child, "spawn");
  return Readable.from(output(), { objectMode: false });
}

function counted(traffic: Traffic): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      traffic.bytes += chunk.length;
      done(null, chunk);
    },
  });
}
