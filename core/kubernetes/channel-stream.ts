import { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { FabricError, LostConnection } from "../error.ts";
import { abortError } from "./abort.ts";

/** The meaning of a WebSocket's channels (k8s.io/apimachinery pkg/util/httpstream/wsstream: the first byte of a message is its channel). */
export interface ChannelProtocol {
  /** The channel that we write to; undefined when the other side expects nothing. */
  readonly input: number | undefined;
  /** The channel that we read from. */
  readonly output: number;
  /** Called for a message of any other channel. A returned error ends the stream. */
  onOther(channel: number, payload: Buffer): Error | undefined;
  /** Called for a message of the output channel; returns the bytes that belong to the stream. */
  onOutput?(payload: Buffer): Buffer;
  /** The message that ends the input and nothing else, if the protocol has one. */
  readonly endOfInput?: Buffer | undefined;
  /** Called when the socket is closed; returns why the stream is broken, or undefined when it is complete. */
  onClose(code: number, reason: string): Error | undefined;
}

/** Bytes of a message at most; the server allocates memory for each message. */
const messageBytes = 128 * 1024;
/** Middleboxes forget a connection that is idle for a minute or more. */
const pingMilliseconds = 10_000;
/** Pings without an answer until the connection counts as lost: a minute, as in kubectl (client-go tools/remotecommand/websocket.go). */
const unansweredPings = 6;
/** How long the other side may be silent after the end of our input, when the protocol cannot tell it of that end. */
const lingerMilliseconds = 1_000;

/**
 * A byte stream over one channel pair of a WebSocket.
 * Backpressure both ways: a reader that is slow pauses the socket, a write is done when the socket has taken it.
 */
export class ChannelStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #protocol: ChannelProtocol;
  readonly #pings: NodeJS.Timeout;
  #lingering: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #message: Buffer | undefined;
  /** Pings since the other side last sent something or took a message. */
  #unanswered = 0;

  /** The socket must be open and paused. */
  constructor(socket: WebSocket, protocol: ChannelProtocol, signal?: AbortSignal) {
    super({ allowHalfOpen: true, highWaterMark: messageBytes });
    this.#socket = socket;
    this.#protocol = protocol;
    this.#pings = setInterval(() => this.#ping(), pingMilliseconds).unref();
    socket.on("pong", () => (this.#unanswered = 0));
    socket.on("message", (data, binary) => this.#receive(data, binary));
    // Kept for `close`, which comes next and does not say why the connection broke.
    socket.once("error", (error) => (this.#failure = error));
    socket.once("close", (code, reason) => this.#closed(code, reason.toString()));
    if (signal) this.#endWith(signal);
    socket.resume();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const { input } = this.#protocol;
    if (input === undefined)
      done(new FabricError("internal", "expected a stream to write to, found one without input"));
    else this.#send(input, chunk, 0, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    const { input, endOfInput } = this.#protocol;
    if (input === undefined || this.#socket.readyState !== this.#socket.OPEN) done();
    else if (endOfInput) this.#socket.send(endOfInput, () => done());
    else {
      this.#linger();
      done();
    }
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearInterval(this.#pings);
    clearTimeout(this.#lingering);
    this.#socket.terminate();
    done(error);
  }

  #send(input: number, chunk: Buffer, offset: number, done: (error?: Error | null) => void): void {
    const part = chunk.subarray(offset, offset + messageBytes);
    const message = this.#outgoing(input, part.length);
    part.copy(message, 1);
    this.#socket.send(message, (error) => {
      if (!error) this.#unanswered = 0;
      // A socket that closes reports a better reason itself.
      if (error) done(this.destroyed ? error : lost("it was closed", error));
      else if (offset + part.length < chunk.length) this.#send(input, chunk, offset + part.length, done);
      else done();
    });
  }

  /** Only one message is being sent at a time (and ws masks a copy of it), so the next one reuses its memory. */
  #outgoing(input: number, bytes: number): Buffer {
    if (bytes < messageBytes / 2) return Buffer.concat([Buffer.of(input)], bytes + 1);
    this.#message ??= Buffer.concat([Buffer.of(input)], messageBytes + 1);
    return this.#message.subarray(0, bytes + 1);
  }

  #ping(): void {
    if (this.#unanswered >= unansweredPings) {
      this.destroy(lost(`it has been silent for ${(unansweredPings * pingMilliseconds) / 1000} s`));
      return;
    }
    // While the socket is paused, the answers to pings wait, too.
    this.#unanswered = this.#socket.isPaused ? 0 : this.#unanswered + 1;
    this.#socket.ping();
  }

  #receive(data: RawData, binary: boolean): void {
    this.#unanswered = 0;
    const message = asBuffer(data);
    if (!binary || message.length === 0) return;
    const channel = message.readUInt8(0);
    const payload = message.subarray(1);
    if (channel === this.#protocol.output) this.#deliver(payload);
    else {
      const error = this.#protocol.onOther(channel, payload);
      if (error) this.destroy(error);
    }
  }

  #deliver(payload: Buffer): void {
    const bytes = this.#protocol.onOutput?.(payload) ?? payload;
    if (this.#lingering) this.#linger();
    if (bytes.length > 0 && !this.readableEnded && !this.push(bytes)) this.#socket.pause();
  }

  #linger(): void {
    clearTimeout(this.#lingering);
    this.#lingering = setTimeout(() => this.#socket.close(1000), lingerMilliseconds);
  }

  #closed(code: number, reason: string): void {
    clearInterval(this.#pings);
    clearTimeout(this.#lingering);
    const error = this.#protocol.onClose(code, reason || (this.#failure?.message ?? ""));
    if (error) this.destroy(error);
    else {
      this.push(null);
      // Further writes would be lost.
      if (!this.writableEnded) this.end();
    }
  }

  #endWith(signal: AbortSignal): void {
    const abort = () => this.destroy(abortError(signal, "the stream"));
    if (signal.aborted) abort();
    else {
      signal.addEventListener("abort", abort, { once: true });
      this.once("close", () => signal.removeEventListener("abort", abort));
    }
  }
}

/** The error of a stream that was cut. */
export function lost(how: string, cause?: unknown): LostConnection {
  return new LostConnection(`the connection through the API server was lost: ${how}`, {
    hint: "try again: what was begun is taken up where it stopped",
    cause,
  });
}

function asBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
