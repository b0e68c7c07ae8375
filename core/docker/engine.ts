import { Agent, request as httpRequest, type ClientRequest, type IncomingMessage } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { callbackify } from "node:util";
import { FabricError, LostConnection, messageOf } from "../error.ts";
import type { KubernetesCommand } from "../remedy.ts";
import { abortError, anySignal } from "../kubernetes/abort.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { execStream, type ExecStream } from "../kubernetes/exec.ts";

/** A Docker daemon within a Pod. */
export interface EngineTarget {
  readonly namespace: string;
  readonly pod: string;
  /** The daemon's container: one that has the docker command. */
  readonly container: string;
  /** The daemon's socket, when the container's own DOCKER_HOST does not say: "unix:///run/docker/docker.sock". */
  readonly host?: string | undefined;
  /** The command that connects its standard input and output with the daemon; `docker system dial-stdio` unless given. */
  readonly dial?: readonly string[] | undefined;
}

/** One call of the Docker Engine API. */
export interface EngineRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE" | "HEAD";
  /** Without API version, so that the daemon uses its own: "/images/json" */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON; a stream (a tar archive) is sent unchanged. */
  readonly body?: Readable | object | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The Docker Engine API of one daemon: the port that core/docker works through. */
export interface Engine {
  readonly target: EngineTarget;
  /**
   * Calls and returns the answer's JSON; undefined when the answer is empty. Throws as `stream` does, LostConnection when the answer is
   * cut, and `invalid` when it is no JSON.
   */
  call(request: EngineRequest): Promise<unknown>;
  /**
   * Calls and returns the answer's body as a stream. A stream that is sent is destroyed, unless it was sent to its end.
   * Throws EngineError when the daemon refuses, `not-ready` when there is no daemon, `not-found` or `forbidden` as exec does.
   */
  stream(request: EngineRequest): Promise<IncomingMessage>;
  /** Ends every connection. */
  close(): void;
}

/** The daemon refused a request. */
export class EngineError extends FabricError {
  readonly httpStatus: number;

  constructor(httpStatus: number, message: string, where: string) {
    super(
      httpStatus === 404 ? "not-found" : httpStatus === 409 ? "conflict" : "rejected",
      `Docker in ${where}: ${message}`,
    );
    this.httpStatus = httpStatus;
  }
}

/** Whether the daemon answered that there is no such image or container. */
export function isAbsent(error: unknown): boolean {
  return error instanceof EngineError && error.httpStatus === 404;
}

/**
 * The Engine API of a daemon that has no port: `docker system dial-stdio`, run by exec in its container, carries HTTP.
 * Nothing is connected before the first call. An idle connection is kept for the next call: `close()` ends it.
 */
export function newEngine(cluster: Cluster, target: EngineTarget, signal?: AbortSignal): Engine {
  return new ExecEngine(cluster, target, signal);
}

class ExecEngine implements Engine {
  readonly target: EngineTarget;
  readonly #agent: DialAgent;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;

  constructor(cluster: Cluster, target: EngineTarget, signal: AbortSignal | undefined) {
    this.target = target;
    this.#signal = anySignal(signal, this.#closed.signal);
    this.#agent = new DialAgent(() => dial(cluster, target, this.#signal));
  }

  async call(request: EngineRequest): Promise<unknown> {
    const body = await this.#textOf(await this.stream(request), request);
    try {
      return body.trim() === "" ? undefined : JSON.parse(body);
    } catch (cause) {
      const where = describe(this.target);
      throw new FabricError("invalid", `expected JSON from Docker in ${where}, got ${messageOf(cause)}`, { cause });
    }
  }

  async stream(request: EngineRequest): Promise<IncomingMessage> {
    try {
      const answer = await this.#send(request);
      const status = answer.statusCode ?? 0;
      if (status < 400) return answer;
      throw new EngineError(status, daemonMessage(await this.#textOf(answer, request)), describe(this.target));
    } catch (error) {
      if (isReadable(request.body)) request.body.destroy();
      throw error;
    }
  }

  close(): void {
    this.#closed.abort(
      new FabricError("interrupted", `the connection to Docker in ${describe(this.target)} was closed`),
    );
    this.#agent.destroy();
  }

  async #send(request: EngineRequest): Promise<IncomingMessage> {
    const signal = anySignal(this.#signal, request.signal);
    for (;;) {
      if (signal.aborted) throw abortError(signal, `${request.method} ${request.path}`);
      const sent = httpRequest({ ...requestOptions(request), agent: this.#agent, signal });
      try {
        return await answerOf(sent, request.body);
      } catch (error) {
        if (signal.aborted) throw abortError(signal, `${request.method} ${request.path}`);
        // The daemon closed an idle connection just as we took it. A stream cannot be sent twice.
        if (sent.reusedSocket && !isReadable(request.body)) continue;
        throw await this.#failure(error, sent);
      }
    }
  }

  async #textOf(answer: IncomingMessage, request: EngineRequest): Promise<string> {
    try {
      return await text(answer);
    } catch (error) {
      const signal = anySignal(this.#signal, request.signal);
      if (signal.aborted) throw abortError(signal, `${request.method} ${request.path}`);
      throw await this.#failure(error, answer);
    }
  }

  async #failure(error: unknown, sent: Connected): Promise<FabricError> {
    if (error instanceof FabricError) return error;
    const exit = await this.#agent.endOf(sent);
    if (exit instanceof FabricError) return exit;
    const where = describe(this.target);
    if (isExit(exit) && exit.code !== 0) return noDaemon(where, exit.stderr, this.target);
    return new LostConnection(`Docker in ${where} did not answer: ${messageOf(error)}`, {
      hint: logOf(this.target),
      cause: error,
    });
  }
}

/** A request or its answer. */
type Connected = Pick<ClientRequest | IncomingMessage, "socket">;

/** An agent whose connections are made by exec instead of TCP. They are kept alive like others. */
class DialAgent extends Agent {
  readonly #dial: () => Promise<ExecStream>;
  readonly #streams = new WeakMap<object, ExecStream>();

  constructor(dialOne: () => Promise<ExecStream>) {
    super({ keepAlive: true, maxFreeSockets: 2 });
    this.#dial = dialOne;
  }

  override createConnection(
    _options: object,
    done?: (error: Error | null, stream: Duplex) => void,
  ): Duplex | null | undefined {
    callbackify(() => this.#open())((error: Error | null, stream) => done?.(error, stream));
    return undefined;
  }

  /** Node would set TCP options here, which an exec has none of. */
  override keepSocketAlive(): boolean {
    return true;
  }

  /** The exit of the process that carried a request, or the error of its stream; undefined when nothing was connected. */
  async endOf({ socket }: Connected): Promise<unknown> {
    try {
      return socket ? await this.#streams.get(socket)?.exit : undefined;
    } catch (error) {
      return error;
    }
  }

  async #open(): Promise<ExecStream> {
    // Agent.reuseSocket calls ref(), which an exec does not have.
    const stream = Object.assign(await this.#dial(), { ref: () => {} });
    this.#streams.set(stream, stream);
    return stream;
  }
}

function dial(cluster: Cluster, target: EngineTarget, signal: AbortSignal): Promise<ExecStream> {
  const host = target.host === undefined ? [] : ["--host", target.host];
  const command = target.dial ?? ["docker", ...host, "system", "dial-stdio"];
  return execStream(cluster, { ...target, command }, signal);
}

function requestOptions({ method, path, query = {}, body }: EngineRequest) {
  const parameters = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const search = new URLSearchParams(parameters).toString();
  const type = isReadable(body) ? "application/x-tar" : "application/json";
  return {
    // No name is resolved: the daemon checks only that there is one.
    host: "docker",
    method,
    path: search === "" ? path : `${path}?${search}`,
    headers: body === undefined ? {} : { "content-type": type },
  };
}

function answerOf(sent: ClientRequest, body: EngineRequest["body"]): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.once("response", resolve);
    sent.on("error", reject);
    if (isReadable(body)) {
      body.once("error", (error) => sent.destroy(error));
      // Neither ends with the other. What is read may be a file that is gone from the disk when it is closed (nameless-file.ts).
      body.once("close", () => body.readableEnded || sent.destroy());
      sent.once("close", () => body.destroy());
      body.pipe(sent);
    } else sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function isReadable(body: EngineRequest["body"]): body is Readable {
  return body !== undefined && "pipe" in body;
}

function daemonMessage(body: string): string {
  try {
    const { message } = JSON.parse(body) as { readonly message?: string };
    return message ?? body.trim();
  } catch {
    return body.trim();
  }
}

const logOf = ({ namespace, pod, container }: EngineTarget): KubernetesCommand => ({
  kubectl: ["logs", "-n", namespace, pod, "-c", container],
});

function noDaemon(where: string, stderr: string, target: EngineTarget): FabricError {
  return new FabricError("not-ready", `expected a Docker daemon in ${where}, got: ${stderr.trim() || "no answer"}`, {
    hint: ["is the daemon starting? ", logOf(target)],
  });
}

/** "container dind of Pod org1/peer0-0" */
function describe({ namespace, pod, container }: EngineTarget): string {
  return `container ${container} of Pod ${namespace}/${pod}`;
}

function isExit(value: unknown): value is { readonly code: number; readonly stderr: string } {
  return typeof value === "object" && value !== null && "code" in value && "stderr" in value;
}
