import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { buffer, text } from "node:stream/consumers";
import type { WebSocket } from "ws";
import { afterEach, describe, expect, test } from "vitest";
import { execCapture, execStream } from "../../../../core/kubernetes/exec.ts";
import { forwardPort, openPort } from "../../../../core/kubernetes/port-forward.ts";
import { serve, v4, v5, type ScriptedServer } from "./api-server.ts";
import { turns } from "./turns.ts";

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const target = { namespace: "org1", pod: "peer0-0", port: 7051 };
const command = { namespace: "org1", pod: "peer0-0", container: "dind", command: ["cat", "a b"] };
const dataChannel = 0;
const errorChannel = 1;
const channel = (number: number, ...payload: (string | Buffer)[]) =>
  Buffer.concat([Buffer.of(number), ...payload.map((it) => Buffer.from(it))]);
const portNumber = Buffer.of(7051 & 0xff, 7051 >> 8);

/** A kubelet that has found the Pod: each channel begins with the port's number. */
async function forwarding(onOpen: (socket: WebSocket) => void) {
  server = await serve({
    protocols: [v4],
    onSocket: (socket) => {
      socket.send(channel(dataChannel, portNumber));
      socket.send(channel(errorChannel, portNumber));
      onOpen(socket);
    },
  });
  return server.cluster;
}

/** How far it came before it stopped: for 500 turns nothing has moved. */
async function standstill(progress: () => number): Promise<number> {
  let last = 0;
  for (let still = 0; still < 500; still++) {
    await turns(1);
    const now = progress();
    if (now === 0 || now !== last) still = 0;
    last = now;
  }
  return last;
}

describe("openPort", () => {
  test("bytes both ways, and the end of the other side", async () => {
    const cluster = await forwarding((socket) => {
      socket.on("message", (data: Buffer) => {
        socket.send(channel(dataChannel, data.subarray(1)));
        socket.close(1000);
      });
    });
    const stream = await openPort(cluster, target);
    stream.write("hello");
    expect(await text(stream)).toBe("hello");
  });

  test("a port number that comes with the first bytes is taken off", async () => {
    server = await serve({
      protocols: [v4],
      onSocket: (socket) => {
        socket.send(channel(dataChannel, portNumber.subarray(0, 1)));
        socket.send(channel(dataChannel, portNumber.subarray(1), "bytes"));
        socket.close(1000);
      },
    });
    expect(await text(await openPort(server.cluster, target))).toBe("bytes");
  });

  test("what is said before anyone listens is not lost", async () => {
    const closed = Promise.withResolvers<number>();
    const cluster = await forwarding((socket) => {
      socket.once("close", (code) => closed.resolve(code));
      socket.send(channel(dataChannel, "early"));
      socket.close(1000);
    });
    const stream = await openPort(cluster, target);
    await expect.poll(() => stream.readableLength, { timeout: 20_000 }).toBe("early".length);
    await closed.promise;
    expect(await text(stream)).toBe("early");
  });

  test("a refusal is an error of the stream", async () => {
    const cluster = await forwarding((socket) =>
      socket.send(channel(errorChannel, "dial tcp4 127.0.0.1:7051: connect: connection refused")),
    );
    await expect(text(await openPort(cluster, target))).rejects.toMatchObject({
      code: "connection",
      message: "port 7051 of Pod org1/peer0-0: connection refused",
    });
  });

  test.each([
    ["cut", (socket: WebSocket) => socket.terminate()],
    ["closed for a fault", (socket: WebSocket) => socket.close(1011, "internal error")],
  ])("a connection that is %s is no end of the data", async (_, end) => {
    const cluster = await forwarding((socket) => {
      socket.send(channel(dataChannel, "half"), () => end(socket));
    });
    await expect(text(await openPort(cluster, target))).rejects.toMatchObject({ code: "connection" });
  });

  test("end() closes the connection when the other side has been silent", async () => {
    const closed = Promise.withResolvers<number>();
    const cluster = await forwarding((socket) => {
      socket.on("message", () => setTimeout(() => socket.send(channel(dataChannel, "late answer")), 300));
      socket.once("close", (code) => closed.resolve(code));
    });
    const stream = await openPort(cluster, target);
    stream.end("last words");
    expect(await text(stream)).toBe("late answer");
    expect(await closed.promise).toBe(1000);
  });

  test("a reader that is slow holds the sender", async () => {
    const block = Buffer.alloc(64 * 1024);
    const blocks = 1024;
    let taken = 0;
    const cluster = await forwarding((socket) => {
      const more = (): void => {
        if (taken === blocks) socket.close(1000);
        else
          socket.send(channel(dataChannel, block), (error) => {
            if (error) return;
            taken++;
            more();
          });
      };
      more();
    });
    const stream = await openPort(cluster, target);
    // Kernel buffers on loopback take some megabytes; the rest must wait at the sender.
    expect(await standstill(() => taken)).toBeLessThan(blocks / 2);
    expect(stream.readableLength).toBeGreaterThan(0);
    expect(stream.readableLength).toBeLessThan(1024 * 1024);
    expect((await buffer(stream)).length).toBe(blocks * block.length);
  });

  test("a receiver that is slow holds the writer", async () => {
    const received = Promise.withResolvers<void>();
    const block = Buffer.alloc(1024 * 1024);
    const blocks = 64;
    let bytes = 0;
    let paused: WebSocket | undefined;
    const cluster = await forwarding((socket) => {
      paused = socket;
      socket.pause();
      socket.on("message", (data: Buffer) => {
        bytes += data.length - 1;
        if (bytes === blocks * block.length) received.resolve();
      });
    });
    const stream = await openPort(cluster, target);
    let written = 0;
    const writing = (async () => {
      for (; written < blocks; written++) if (!stream.write(block)) await once(stream, "drain");
    })();
    expect(await standstill(() => written)).toBeLessThan(blocks / 2);
    expect([stream.writableNeedDrain, bytes]).toEqual([true, 0]);
    paused?.resume();
    await Promise.all([writing, received.promise]);
    stream.destroy();
  });

  test("ends with its signal", async () => {
    const closed = Promise.withResolvers<void>();
    const cluster = await forwarding((socket) => socket.once("close", () => closed.resolve()));
    const interrupt = new AbortController();
    const stream = await openPort(cluster, target, interrupt.signal);
    interrupt.abort();
    await expect(text(stream)).rejects.toMatchObject({ code: "interrupted" });
    await closed.promise;
  });

  test("a refused upgrade says why", async () => {
    server = await serve({});
    await expect(openPort(server.cluster, target)).rejects.toMatchObject({ code: "forbidden", httpStatus: 403 });
  });
});

describe("forwardPort", () => {
  test("a connection of its own for each client, until it is closed", async () => {
    const cluster = await forwarding((socket) => socket.on("message", (data: Buffer) => socket.send(data)));
    const forward = await forwardPort(cluster, target);
    const clients = [connect(forward.port, forward.host), connect(forward.port, forward.host)];
    for (const [i, client] of clients.entries()) {
      client.write(`client ${i}`);
      expect(String((await once(client, "data"))[0])).toBe(`client ${i}`);
    }
    const ended = clients.map(async (client) => new Promise((resolve) => client.once("close", resolve)));
    for (const client of clients) client.on("error", () => {});
    await forward.close();
    await Promise.all(ended);
    await expect(once(connect(forward.port, forward.host), "connect")).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("a client whose connection fails is reset, and the reason is kept", async () => {
    const cluster = await forwarding((socket) => socket.send(channel(errorChannel, "connect: connection refused")));
    const forward = await forwardPort(cluster, target);
    const client = connect(forward.port, forward.host);
    await expect(text(client)).rejects.toMatchObject({ code: "ECONNRESET" });
    expect(forward.lastFailure()).toMatchObject({ code: "connection" });
    await forward.close();
  });

  test("the reason is that of the last connection: none when that has ended well, or when its client has gone", async () => {
    let refuses = true;
    const cluster = await forwarding((socket) => {
      if (refuses) return socket.send(channel(errorChannel, "connect: connection refused"));
      socket.on("message", (data: Buffer) => socket.send(data));
    });
    const forward = await forwardPort(cluster, target);
    await expect(text(connect(forward.port, forward.host))).rejects.toMatchObject({ code: "ECONNRESET" });
    refuses = false;
    const client = connect(forward.port, forward.host);
    client.write("hello");
    await once(client, "data");
    expect(forward.lastFailure()).toBeUndefined();
    client.resetAndDestroy();
    await forward.close();
    expect(forward.lastFailure()).toBeUndefined();
  });

  test("that is interrupted while it begins to listen does not stay open", async () => {
    const { cluster } = (server = await serve({}));
    const interrupt = new AbortController();
    const forward = forwardPort(cluster, target, interrupt.signal);
    interrupt.abort();
    await expect(forward).rejects.toMatchObject({ code: "interrupted" });
  });
});

describe("exec", () => {
  const status = (object: object) => channel(3, JSON.stringify(object));

  test("output, errors and exit code, half-closed input (v5)", async () => {
    const asked: (string | undefined)[] = [];
    server = await serve({
      onSocket: (socket, request) => {
        asked.push(request.url);
        const input: string[] = [];
        socket.on("message", (data: Buffer) => {
          if (data[0] === 255) {
            socket.send(channel(2, "warning"));
            socket.send(channel(1, input.join("").toUpperCase()));
            socket.send(status({ status: "Failure", details: { causes: [{ reason: "ExitCode", message: "3" }] } }));
            socket.close(1000);
          } else input.push(data.subarray(1).toString());
        });
      },
    });
    const { stdout, ...exit } = await execCapture(server.cluster, command, { stdin: "abc" });
    expect(String(stdout)).toBe("ABC");
    expect(exit).toEqual({ code: 3, stderr: "warning" });
    expect(asked).toEqual([
      "/api/v1/namespaces/org1/pods/peer0-0/exec?container=dind&command=cat&command=a+b&stdin=true&stdout=true&stderr=true",
    ]);
  });

  test("a command without input is sent nothing: who has ended already could not take it", async () => {
    const asked: (string | undefined)[] = [];
    const sent: Buffer[] = [];
    server = await serve({
      protocols: [v4],
      onSocket: (socket, request) => {
        asked.push(request.url);
        socket.on("message", (data: Buffer) => sent.push(data));
        // Longer than the silence after which an old server's connection is closed to end the input.
        setTimeout(() => {
          socket.send(channel(1, "late"));
          socket.send(status({ status: "Success" }));
          socket.close(1000);
        }, 1500);
      },
    });
    expect(String((await execCapture(server.cluster, command)).stdout)).toBe("late");
    expect([sent, asked[0]]).toEqual([[], expect.stringContaining("&stdin=false&")]);
    const stream = await execStream(server.cluster, { ...command, stdin: false });
    stream.on("error", () => {});
    stream.end("x");
    await expect(stream.exit).rejects.toMatchObject({ code: "internal" });
  });

  test("what cut a connection is told", async () => {
    let connection: Socket | undefined;
    server = await serve({ onSocket: (_, { socket }) => (connection = socket) });
    const stream = await execStream(server.cluster, { ...command, stdin: false });
    connection?.resetAndDestroy();
    await expect(buffer(stream)).rejects.toMatchObject({
      code: "connection",
      message: expect.stringContaining("ECONNRESET") as string,
    });
  });

  test("an old server (v4) has the whole connection closed", async () => {
    const closed = Promise.withResolvers<number>();
    server = await serve({
      protocols: [v4],
      onSocket: (socket) => {
        socket.once("close", (code) => closed.resolve(code));
      },
    });
    const stream = await execStream(server.cluster, command);
    const failed = once(stream, "error");
    stream.end("x");
    stream.resume();
    expect((await failed)[0]).toMatchObject({ code: "connection" });
    await expect(stream.exit).rejects.toMatchObject({ code: "connection" });
    expect(await closed.promise).toBe(1000);
  });

  test("only the end of a long error output is kept", async () => {
    server = await serve({
      protocols: [v5],
      onSocket: (socket) => {
        for (let i = 0; i < 100; i++) socket.send(channel(2, Buffer.alloc(1024, 65 + (i % 26))));
        socket.send(status({ status: "Success" }));
        socket.close(1000);
      },
    });
    const { stderr, code } = await execCapture(server.cluster, command);
    expect(code).toBe(0);
    expect(stderr).toHaveLength(16 * 1024);
    expect(stderr.at(-1)).toBe(String.fromCodePoint(65 + (99 % 26)));
  });

  test("a connection that is lost is no exit", async () => {
    server = await serve({ onSocket: (socket) => socket.send(channel(1, "half"), () => socket.terminate()) });
    await expect(execCapture(server.cluster, command)).rejects.toMatchObject({ code: "connection" });
  });

  test("a command that cannot start", async () => {
    server = await serve({
      onSocket: (socket) => {
        socket.send(status({ status: "Failure", message: 'exec: "docker": executable file not found in $PATH' }));
        socket.close(1000);
      },
    });
    await expect(execCapture(server.cluster, command)).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("expected to run cat in container dind of Pod org1/peer0-0") as string,
    });
  });
});
