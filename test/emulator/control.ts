import { createServer, type Server } from "node:http";
import { json } from "node:stream/consumers";
import type { Faults } from "./faults.ts";
import { messageOf } from "./log.ts";

/** Takes orders from a test: `GET /faults`, `POST /faults` with what to change, `POST /drop-streams`. On loopback only. */
export async function serveControl(address: string, faults: Faults, dropStreams: () => void): Promise<Server> {
  const [, host = "", port] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (!["127.0.0.1", "localhost", "[::1]"].includes(host)) {
    throw new Error(`expected a loopback address for EMULATOR_CONTROL_ADDRESS, found ${address}`);
  }
  const server = createServer((request, response) => {
    void (async () => {
      try {
        if (request.method === "POST" && request.url === "/faults") {
          faults.set((await json(request)) as Readonly<Record<string, unknown>>);
        } else if (request.method === "POST" && request.url === "/drop-streams") {
          dropStreams();
        } else if (request.method !== "GET" || request.url !== "/faults") {
          response.writeHead(404).end();
          return;
        }
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(faults.show()));
      } catch (error) {
        response.writeHead(400).end(messageOf(error));
      }
    })();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), host.replace(/[[\]]/g, ""), resolve);
  });
  return server;
}
