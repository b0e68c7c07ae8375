import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

interface RecordedCall {
  readonly method: string;
  /** Path with its query. */
  readonly path: string;
  readonly body: Buffer;
}

/** A Docker daemon that writes down what it is asked and answers as if all went well. */
export interface FakeDaemon {
  readonly endpoint: string;
  readonly calls: readonly RecordedCall[];
  /** Names of the images that are there. */
  readonly images: Set<string>;
  stop(): Promise<void>;
}

export async function startFakeDaemon(buildStatus = 0): Promise<FakeDaemon> {
  const directory = await mkdtemp(join(tmpdir(), "daemon-"));
  const socket = join(directory, "docker.sock");
  const calls: RecordedCall[] = [];
  const images = new Set<string>();
  const server = createServer((request, response) => {
    void buffer(request).then((body) => {
      calls.push({ method: request.method ?? "", path: request.url ?? "", body });
      return answer(request, response, images, buildStatus);
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    endpoint: `unix://${socket}`,
    calls,
    images,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true });
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  images: Set<string>,
  buildStatus: number,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? "", "http://docker");
  const image = /^\/images\/(.+)\/json$/.exec(pathname)?.[1];
  if (image !== undefined) {
    json(response, images.has(image) ? 200 : 404, { message: `No such image: ${image}` });
  } else if (pathname === "/containers/create") {
    json(response, 201, { Id: searchParams.get("name") ?? "builder" });
  } else if (pathname.endsWith("/wait")) {
    json(response, 200, { StatusCode: buildStatus });
  } else if (pathname.endsWith("/logs")) {
    const text = Buffer.from("npm error missing script");
    const header = Buffer.alloc(8);
    header.writeUInt32BE(text.length, 4);
    response.end(Buffer.concat([header, text]));
  } else if (pathname.endsWith("/archive") && request.method === "GET") {
    const archive = pack();
    archive.entry({ name: "./index.js" }, "built");
    archive.finalize();
    response.end(await buffer(archive));
  } else if (pathname === "/build") {
    images.add(searchParams.get("t") ?? "");
    response.end('{"stream":"done"}\n');
  } else if (/\/(stop|kill)$/.test(pathname) || request.method === "DELETE") {
    json(response, 404, { message: "No such container" });
  } else {
    response.end();
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

export function emptyCode(): Buffer {
  return gzipSync(Buffer.alloc(1024));
}
