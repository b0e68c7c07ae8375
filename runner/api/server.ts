import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ApiError } from "../api-error.ts";
import type { Containers } from "../containers/containers.ts";
import type { OutputChunk, OutputStream } from "../containers/output.ts";
import { isTrue, parseTarget, type Route } from "./call.ts";
import { multiplexedStream } from "./containers.ts";
import { newReader } from "./reader.ts";
import { reasonOf, type Log } from "../../core/process/log.ts";

export interface ApiServerSettings {
  readonly routes: readonly Route[];
  readonly containers: Containers;
  readonly log: Log;
}

/** The calls of the Engine API that peers and this project's plugin use; the answer to others is 501. */
export function newApiServer({ routes, containers, log }: ApiServerSettings): Server {
  const options = { requestTimeout: 0, headersTimeout: 60_000, keepAliveTimeout: 0 };
  const server = createServer(options, (request, response) => {
    void answer(request, response, routes).catch((error: unknown) => {
      const status = error instanceof ApiError ? error.status : 500;
      const target = { method: request.method, path: parseTarget(request.url ?? "")?.path };
      if (status >= 500) log.error("call failed", { ...target, status, reason: reasonOf(error) });
      else log.info("call refused", { ...target, status, reason: reasonOf(error) });
      refuse(response, status, reasonOf(error));
    });
  });
  server.on("upgrade", (request: IncomingMessage, socket: Duplex) => attach(request, socket, containers));
  return server;
}

async function answer(request: IncomingMessage, response: ServerResponse, routes: readonly Route[]): Promise<void> {
  const target = parseTarget(request.url ?? "");
  if (target === undefined) throw new ApiError(400, "expected a path, found something else");
  const method = request.method ?? "";
  for (const route of routes) {
    const match = route.method === method ? route.pattern.exec(target.path) : null;
    if (match === null) continue;
    const result = await route.answer({ method, ...target, name: match.groups?.["name"] ?? "", request, response });
    if (!response.headersSent && !response.writableEnded) {
      const headers = result === undefined ? {} : { "Content-Type": "application/json" };
      response.writeHead(route.status ?? 200, headers).end(result === undefined ? undefined : JSON.stringify(result));
    }
    return;
  }
  throw new ApiError(501, `not part of this runner: ${method} ${target.path} (it runs chaincode without Docker)`);
}

function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) {
    // The client sees a body that ends too soon.
    response.destroy();
    return;
  }
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(status === 304 ? undefined : JSON.stringify({ message }));
}

/** POST /containers/{id}/attach: the connection becomes the container's output. */
function attach(request: IncomingMessage, socket: Duplex, containers: Containers): void {
  // The client may go away at any time.
  socket.on("error", () => socket.destroy());
  const target = parseTarget(request.url ?? "");
  const name = /^\/containers\/([^/]+)\/attach$/.exec(target?.path ?? "")?.[1];
  if (target === undefined || name === undefined || request.method !== "POST") {
    endWith(socket, "501 Not Implemented", `not part of this runner: upgrade of ${target?.path ?? "that"}`);
    return;
  }
  try {
    const { output } = containers.get(name);
    const { query } = target;
    const wanted = (stream: OutputStream) => isTrue(query, stream);
    socket.write(
      `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${multiplexedStream}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    const reader = newReader(socket);
    const readWanted = (chunk: OutputChunk) => void (wanted(chunk.stream) && reader.read(chunk));
    if (isTrue(query, "logs")) output.kept.forEach(readWanted);
    const stop = output.follow(readWanted, () => reader.end());
    socket.once("close", stop).resume();
  } catch (error) {
    const status = error instanceof ApiError && error.status === 404 ? "404 Not Found" : "400 Bad Request";
    endWith(socket, status, reasonOf(error));
  }
}

function endWith(socket: Duplex, status: string, message: string): void {
  const body = JSON.stringify({ message });
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  socket.end(`${head}Connection: close\r\n\r\n${body}`);
}
