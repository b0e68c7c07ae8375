import { Readable } from "node:stream";
import type { WebSocket } from "ws";
import { afterEach, describe, expect, test } from "vitest";
import { newEngine, type Engine } from "../../../../core/docker/engine.ts";
import { LostConnection } from "../../../../core/error.ts";
import { serve, type ScriptedServer } from "../kubernetes/api-server.ts";

let server: ScriptedServer | undefined;
let engine: Engine | undefined;
afterEach(async () => {
  engine?.close();
  await server?.close();
  [engine, server] = [undefined, undefined];
});

const [output, status] = [1, 3];

/** A daemon behind an exec, that does so when a request has begun to come. */
async function daemon(onRequest: (socket: WebSocket) => void): Promise<Engine> {
  server = await serve({ onSocket: (socket) => socket.once("message", () => onRequest(socket)) });
  return (engine = newEngine(server.cluster, { namespace: "org1", pod: "peer0-0", container: "dind" }));
}

const say = (socket: WebSocket, channel: number, ...lines: readonly string[]) =>
  socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(lines.join("\r\n"))]));

/** What its program says when it has ended by itself. */
function end(socket: WebSocket): void {
  say(socket, status, JSON.stringify({ status: "Success" }));
  socket.close(1000);
}

const failure = (answer: Promise<unknown>): Promise<unknown> =>
  answer.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("an answer of a daemon", () => {
  const version = { method: "GET", path: "/version" } as const;

  test.each([
    ["the connection is cut", (socket: WebSocket) => socket.terminate()],
    ["the daemon ends", end],
  ])("of which the end is missing, because %s, is a lost connection", async (_, cut) => {
    for (const code of ["200 OK", "500 Internal Server Error"]) {
      const docker = await daemon((socket) => {
        say(socket, output, `HTTP/1.1 ${code}`, "Content-Length: 100", "", '{"Version":');
        cut(socket);
      });
      expect(await failure(docker.call(version))).toBeInstanceOf(LostConnection);
      docker.close();
      await server?.close();
    }
  });

  test("that is no JSON is invalid", async () => {
    const docker = await daemon((socket) => say(socket, output, "HTTP/1.1 200 OK", "Content-Length: 3", "", "<p>"));
    expect(await failure(docker.call(version))).toMatchObject({
      code: "invalid",
      message: expect.stringContaining("expected JSON from Docker in container dind of Pod org1/peer0-0") as string,
    });
  });
});

describe("an upload", () => {
  /** Of which there is always more. */
  const endless = () => {
    const body = new Readable({ read: () => undefined });
    body.push("a beginning");
    return body;
  };

  test.each([
    [
      "that the daemon refuses",
      (socket: WebSocket) =>
        say(socket, output, "HTTP/1.1 507 Insufficient Storage", "Content-Length: 18", "", '{"message":"full"}'),
      "Docker in container dind of Pod org1/peer0-0: full",
    ],
    ["whose connection is cut", (socket: WebSocket) => socket.terminate(), "was lost"],
    [
      "whose connection is cut after an answer has begun",
      (socket: WebSocket) => {
        say(socket, output, "HTTP/1.1 200 OK", "Content-Length: 100", "", "{");
        socket.terminate();
      },
      "was lost",
    ],
  ])("%s lets go of what it reads", async (_, onRequest, message) => {
    const docker = await daemon(onRequest);
    const body = endless();
    const closed = new Promise((resolve) => body.once("close", resolve));
    const loaded = docker.call({ method: "POST", path: "/images/load", body });
    expect(await failure(loaded)).toMatchObject({ message: expect.stringContaining(message) as string });
    await closed;
  });

  test("that is interrupted before it has begun lets go of what it reads", async () => {
    const docker = await daemon(() => undefined);
    const body = endless();
    const closed = new Promise((resolve) => body.once("close", resolve));
    const signal = AbortSignal.abort();
    expect(await failure(docker.call({ method: "POST", path: "/images/load", body, signal }))).toMatchObject({
      code: "interrupted",
    });
    await closed;
  });
});
