import { EventEmitter } from "node:events";
import type { WebSocket } from "ws";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { LostConnection } from "../../../../core/error.ts";
import { ChannelStream } from "../../../../core/kubernetes/channel-stream.ts";

/** What of a WebSocket a stream needs; `answers` are its pongs. */
class QuietSocket extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  isPaused = true;
  answers = true;
  pings = 0;
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  ping(): void {
    this.pings++;
    if (this.answers && !this.isPaused) this.emit("pong");
  }
  send(_message: Buffer, done: (error?: Error) => void): void {
    setImmediate(done);
  }
  terminate(): void {
    this.readyState = 3;
  }
}

const protocol = { input: 0, output: 1, onOther: () => undefined, onClose: () => undefined };

function open() {
  const socket = new QuietSocket();
  const stream = new ChannelStream(socket as unknown as WebSocket, protocol);
  const failures: Error[] = [];
  stream.on("error", (error) => failures.push(error));
  return { socket, stream, failures };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }));
afterEach(() => void vi.useRealTimers());

/** What is destroyed tells so in the next turn. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a stream over which nothing comes", () => {
  test("stays as long as the other side shows that it lives", async () => {
    const { socket, failures } = open();
    vi.advanceTimersByTime(3_600_000);
    await turn();
    expect(failures).toEqual([]);
    expect(socket.pings).toBe(360);
  });

  test("is lost when it has shown nothing for a minute", async () => {
    const { socket, failures } = open();
    socket.answers = false;
    vi.advanceTimersByTime(60_000);
    await turn();
    expect(failures).toEqual([]);
    vi.advanceTimersByTime(10_000);
    await turn();
    expect(failures).toHaveLength(1);
    expect(failures[0]).toBeInstanceOf(LostConnection);
    expect(failures[0]?.message).toContain("silent for 60 s");
    expect(socket.readyState).toBe(3);
  });

  test("is not lost for a message that comes without a pong", async () => {
    const { socket, stream, failures } = open();
    socket.answers = false;
    stream.resume();
    for (let minute = 0; minute < 10; minute++) {
      vi.advanceTimersByTime(50_000);
      socket.emit("message", Buffer.from([1, 65]), true);
    }
    await turn();
    expect(failures).toEqual([]);
  });

  test("is not lost as long as it takes what we send", async () => {
    const { socket, stream, failures } = open();
    socket.answers = false;
    for (let minute = 0; minute < 10; minute++) {
      vi.advanceTimersByTime(50_000);
      await new Promise((resolve) => stream.write("x", resolve));
    }
    await turn();
    expect(failures).toEqual([]);
  });

  test("is not lost while we do not read, and has a minute afterwards", async () => {
    const { socket, stream, failures } = open();
    socket.pause();
    vi.advanceTimersByTime(600_000);
    await turn();
    expect(failures).toEqual([]);
    socket.answers = false;
    stream.read();
    await turn();
    expect(socket.isPaused).toBe(false);
    vi.advanceTimersByTime(60_000);
    await turn();
    expect(failures).toEqual([]);
    vi.advanceTimersByTime(10_000);
    await turn();
    expect(failures).toHaveLength(1);
  });
});
