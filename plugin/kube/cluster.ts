import { setTimeout as sleep } from "node:timers/promises";
import { X509Certificate } from "node:crypto";
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import { FabricError, messageOf } from "../error.ts";
import { abortError, anySignal } from "./abort.ts";
import { ApiError, parseStatus } from "./api-error.ts";
import type { V1Status } from "./client-node.ts";
import { loadKubeconfig, type KubeconfigSource, type LoadedKubeconfig } from "./kubeconfig.ts";
import { unreachable } from "./unreachable.ts";

/** One call of the Kubernetes API. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** "/api/v1/namespaces/org1/pods" */
  readonly path: string;
  readonly query?: ApiQuery;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** "application/json" unless told. */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

export type ApiQuery = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** The API server of one context: the port that everything in kube/ works through, and that tests replace. */
export interface Cluster {
  /** The context's name in the kubeconfig. */
  readonly context: string;
  /** "https://10.0.0.1:6443" */
  readonly server: string;
  /** The context's namespace, or "default". */
  readonly namespace: string;
  /** Calls and reads the JSON of the answer. Throws ApiError when the server refuses, `cluster-unreachable` when there is none. */
  call(request: ApiRequest): Promise<unknown>;
  /** Calls and gives the answer's body as it comes (logs, watches). Throws as `call` does. */
  stream(request: ApiRequest): Promise<IncomingMessage>;
  /** Opens a WebSocket that is paused: attach to it, then resume. Throws as `call` does. */
  webSocket(path: string, query: ApiQuery, protocols: readonly string[], signal?: AbortSignal): Promise<WebSocket>;
  /** Ends what is open. A process may also just end. */
  close(): void;
}

export interface ConnectOptions extends KubeconfigSource {
  /** Ends everything that is done with this cluster. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The cluster that kubectl would talk to. Asks nothing of it yet: the first call tells whether it answers.
 * Throws `cluster-unreachable` when there is no kubeconfig or context, `invalid` when it cannot be read.
 */
export async function connectCluster(options: ConnectOptions = {}): Promise<Cluster> {
  return newCluster(loadKubeconfig(options), options.signal);
}

/** A cluster from a kubeconfig that is loaded. */
export function newCluster(loaded: LoadedKubeconfig, signal?: AbortSignal): Cluster {
  return new ApiServer(loaded, signal);
}

/** Before an answer begins; a watch's answer begins at once. The API server itself gives up after 60 s. */
const ANSWER_MILLISECONDS = 65_000;
const CONNECT_MILLISECONDS = 15_000;
const TCP_KEEP_ALIVE_MILLISECONDS = 30_000;
const RETRIES = 5;
/** Whoever says an hour, or a day, is asked again all the same. */
const LONGEST_PAUSE_SECONDS = 10;

class ApiServer implements Cluster {
  readonly context: string;
  readonly server: string;
  readonly namespace: string;
  readonly #loaded: LoadedKubeconfig;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;
  #agent: { readonly identity: string; readonly agent: RequestOptions["agent"] } | undefined;

  constructor(loaded: LoadedKubeconfig, signal: AbortSignal | undefined) {
    this.context = loaded.context;
    this.server = loaded.server;
    this.namespace = loaded.namespace;
    this.#loaded = loaded;
    this.#signal = anySignal(signal, this.#closed.signal);
  }

  async call(request: ApiRequest): Promise<unknown> {
    const answer = await this.stream(request);
    try {
      return JSON.parse(await text(answer));
    } catch (cause) {
      if (cause instanceof SyntaxError) {
        throw new FabricError("invalid", `expected JSON from ${this.server}${request.path}, got ${cause.message}`, {
          cause,
        });
      }
      throw this.#failure(cause, request.signal);
    }
  }

  async stream(request: ApiRequest): Promise<IncomingMessage> {
    for (let attempt = 0; ; attempt++) {
      const answer = await this.#send(request);
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) return answer;
      const body = await text(answer);
      const seconds = Number(answer.headers["retry-after"]);
      // API priority and fairness (KEP-1040) asks clients to come back; so does a server that shuts down.
      if (!(seconds >= 0) || attempt >= RETRIES) throw this.#refusal(status, parseStatus(status, body));
      const pause = Math.min(Math.max(seconds, 0.1), LONGEST_PAUSE_SECONDS);
      await delay(pause * 1000, anySignal(this.#signal, request.signal));
    }
  }

  async webSocket(
    path: string,
    query: ApiQuery,
    protocols: readonly string[],
    signal?: AbortSignal,
  ): Promise<WebSocket> {
    const options = await this.#options();
    const merged = anySignal(this.#signal, signal);
    if (merged.aborted) throw abortError(merged, path);
    const url = new URL(withQuery(this.server + path, query));
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, [...protocols], {
      ...options,
      // An upgraded connection is never given back.
      agent: options.agent,
      perMessageDeflate: false,
      handshakeTimeout: CONNECT_MILLISECONDS,
      // The channels' frames are small; a bound keeps a faulty proxy from filling the memory.
      maxPayload: 32 * 1024 * 1024,
    });
    return new Promise((resolve, reject) => {
      const abort = () => socket.terminate();
      const done = () => merged.removeEventListener("abort", abort);
      merged.addEventListener("abort", abort, { once: true });
      socket.once("upgrade", (response) => {
        response.socket.setKeepAlive(true, TCP_KEEP_ALIVE_MILLISECONDS);
        // ws keeps to itself what happens to the connection, and only tells that it is closed (1006).
        response.socket.once("error", (error: Error) => socket.emit("error", error));
      });
      socket.once("open", () => {
        socket.pause();
        done();
        resolve(socket);
      });
      socket.once("unexpected-response", (_request, response: IncomingMessage) => {
        const status = response.statusCode ?? 0;
        void text(response).then(
          (body) => reject(this.#refusal(status, parseStatus(status, body))),
          (error: unknown) => reject(this.#failure(error, merged)),
        );
        done();
      });
      // Stays attached: an error after this is told by `close`, and must not be thrown.
      socket.on("error", (error) => {
        done();
        reject(this.#failure(error, merged));
      });
    });
  }

  close(): void {
    this.#closed.abort(new FabricError("interrupted", "the connection to the cluster was closed"));
    const agent = this.#agent?.agent;
    if (typeof agent === "object") agent.destroy();
  }

  async #send(request: ApiRequest): Promise<IncomingMessage> {
    const options = await this.#options();
    const signal = anySignal(this.#signal, request.signal);
    for (;;) {
      if (signal.aborted) throw abortError(signal, `${request.method} ${request.path}`);
      const sent = exchange(withQuery(this.server + request.path, request.query), request, options, signal);
      try {
        return await sent.answer;
      } catch (error) {
        // The server closed an idle connection just as we took it: nothing has been done.
        if (sent.reused() && hasCode(error, "ECONNRESET", "EPIPE")) continue;
        throw this.#failure(error, signal);
      }
    }
  }

  async #options(): Promise<RequestOptions> {
    const { config, impersonation } = this.#loaded;
    const options: RequestOptions = {};
    // Without TLS (`kubectl proxy`) no credentials leave this machine: who listens there has its own.
    if (this.server.startsWith("http:")) return { headers: impersonation };
    try {
      await config.applyToHTTPSOptions(options);
    } catch (cause) {
      throw this.#credentialsFailure(cause);
    }
    const headers = { ...(options.headers as OutgoingHttpHeaders | undefined), ...impersonation };
    return { ...options, headers, agent: this.#agentFor(options) };
  }

  /** One agent as long as the certificate is the same; a proxy's is made by client-node. */
  #agentFor(options: RequestOptions): RequestOptions["agent"] {
    if (this.#loaded.config.getCurrentCluster()?.proxyUrl) return options.agent;
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const identity = [cert, key].map(String).join();
    if (this.#agent?.identity !== identity) {
      const tls = Object.fromEntries(
        Object.entries({ ca, cert, key, servername, rejectUnauthorized }).filter(([, value]) => value !== undefined),
      );
      // proxyEnv: HTTPS_PROXY and NO_PROXY count, as they do for kubectl.
      this.#agent = { identity, agent: new Agent({ ...tls, keepAlive: true, proxyEnv: process.env }) };
    }
    return this.#agent.agent;
  }

  #credentialsFailure(cause: unknown): FabricError {
    const { user, config } = this.#loaded;
    const command: unknown = config.getCurrentUser()?.exec?.command;
    const plugin = typeof command === "string" ? `the credential plugin ${command}` : "the kubeconfig's credentials";
    return new FabricError(
      "forbidden",
      `expected credentials for user "${user}", ${plugin} failed: ${messageOf(cause).trim()}`,
      {
        hint: typeof command === "string" ? `run ${command} yourself, or log in again` : "kubectl config view",
        cause,
      },
    );
  }

  #failure(error: unknown, signal: AbortSignal | undefined): FabricError {
    if (error instanceof FabricError) return error;
    if (this.#signal.aborted) return abortError(this.#signal, `the call of ${this.server}`);
    if (signal?.aborted) return abortError(signal, `the call of ${this.server}`);
    return unreachable(error, { ...this.#loaded, certificate: this.#certificate() });
  }

  #refusal(httpStatus: number, status: V1Status): ApiError {
    return new ApiError(httpStatus, status, this.context);
  }

  #certificate(): X509Certificate | undefined {
    const user = this.#loaded.config.getCurrentUser();
    try {
      return user?.certData ? new X509Certificate(Buffer.from(user.certData, "base64")) : undefined;
    } catch {
      return undefined;
    }
  }
}

interface Exchange {
  readonly answer: Promise<IncomingMessage>;
  /** Whether the connection had served another request before. */
  reused(): boolean;
}

function exchange(url: string, request: ApiRequest, options: RequestOptions, signal: AbortSignal): Exchange {
  const body = request.body === undefined ? undefined : JSON.stringify(request.body);
  const headers = {
    ...(options.headers as OutgoingHttpHeaders | undefined),
    accept: "application/json",
    "user-agent": "kubectl-fabric",
    ...(body === undefined
      ? {}
      : { "content-type": request.contentType ?? "application/json", "content-length": Buffer.byteLength(body) }),
  };
  const open = url.startsWith("http:") ? httpRequest : httpsRequest;
  const sent = open(url, { ...options, method: request.method, headers, signal });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    const overdue = setTimeout(() => sent.destroy(coded("ETIMEDOUT", "no answer")), ANSWER_MILLISECONDS);
    sent.once("socket", (socket) => {
      socket.setKeepAlive(true, TCP_KEEP_ALIVE_MILLISECONDS);
      if (!socket.connecting) return;
      const slow = setTimeout(() => sent.destroy(coded("ETIMEDOUT", "connection timed out")), CONNECT_MILLISECONDS);
      socket.once("connect", () => clearTimeout(slow)).once("close", () => clearTimeout(slow));
    });
    sent.once("close", () => clearTimeout(overdue));
    sent.once("response", (response) => {
      clearTimeout(overdue);
      resolve(response);
    });
    sent.on("error", reject);
  });
  sent.end(body);
  return { answer, reused: () => sent.reusedSocket };
}

function withQuery(url: string, query: ApiQuery = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value) parameters.append(name, String(one));
    else if (value !== undefined) parameters.set(name, String(value));
  }
  const search = parameters.toString();
  return search === "" ? url : `${url}?${search}`;
}

function coded(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

async function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw abortError(signal, "the wait for a busy API server");
  }
}
