import { X509Certificate } from "node:crypto";
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import { FabricError, messageOf } from "../error.ts";
import { abortError, anySignal, unlessAborted } from "./abort.ts";
import { ApiError, parseStatus } from "./api-error.ts";
import { lost } from "./channel-stream.ts";
import { Connections } from "./connections.ts";
import { Credentials, type Identity } from "./credentials.ts";
import { loadKubeconfig, type KubeconfigSource, type LoadedKubeconfig } from "./kubeconfig.ts";
import { mayHaveArrived, outwaited, pauseBefore, waitOut } from "./outage.ts";
import { passingFailure, unreachable } from "./unreachable.ts";

/** One call of the Kubernetes API. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** "/api/v1/namespaces/org1/pods" */
  readonly path: string;
  readonly query?: ApiQuery;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** "application/json" unless given. */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** For methods other than GET: the request may arrive twice, so it is sent again when it is unknown whether it has arrived. */
  readonly repeatable?: boolean | undefined;
  /** Called when the request is sent again although it may have done its work already. */
  readonly onRepeat?: (() => void) | undefined;
}

type ApiQuery = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/**
 * The API server of one context: the port that core/kubernetes works through, and that tests replace. A server that has answered once and
 * is now away, or busy, is waited for.
 */
export interface Cluster {
  /** The context's name in the kubeconfig. */
  readonly context: string;
  /** "https://10.0.0.1:6443" */
  readonly server: string;
  /** The context's namespace, or "default". */
  readonly namespace: string;
  /** Calls and returns the answer's JSON. Throws ApiError when the server refuses, `cluster-unreachable` when it does not answer. */
  call(request: ApiRequest): Promise<unknown>;
  /** Calls and returns the answer's body as a stream (logs, watches). Throws as `call` does. */
  stream(request: ApiRequest): Promise<IncomingMessage>;
  /** Opens a WebSocket that is paused: attach to it, then resume. Throws as `call` does. */
  webSocket(path: string, query: ApiQuery, protocols: readonly string[], signal?: AbortSignal): Promise<WebSocket>;
  /** The same cluster for cleaning up: its connections outlive the signal, and it waits only 10 s for the server. The caller closes it. */
  lasting(): Cluster;
  /** Ends all connections. A process may also just exit. */
  close(): void;
}

export interface ConnectOptions extends KubeconfigSource {
  /** Ends every call of this cluster. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for which an API server that has answered before may be away or busy; a minute unless given. */
  readonly patience?: number | undefined;
  /** Called with the reason when the server is waited for: once, and again when that takes long. */
  readonly onAway?: ((because: string) => void) | undefined;
}

/**
 * The cluster that kubectl would talk to. Sends nothing yet: the first call shows whether the server answers.
 * Throws `cluster-unreachable` when there is no kubeconfig or context, `invalid` when it cannot be read.
 */
export async function connectCluster(options: ConnectOptions = {}): Promise<Cluster> {
  return newCluster(loadKubeconfig(options), options);
}

/** A cluster from a kubeconfig that is loaded. */
export function newCluster(
  loaded: LoadedKubeconfig,
  options: Omit<ConnectOptions, keyof KubeconfigSource> = {},
): Cluster {
  return new ApiServer(loaded, options);
}

/** Before an answer begins; a watch's answer begins at once. The API server itself gives up after 60 s. */
const answerMilliseconds = 65_000;
const connectMilliseconds = 15_000;
const tcpKeepAliveMilliseconds = 30_000;
const patienceMilliseconds = 60_000;
/** Attempts that are not reported: a connection that is cut and made again at once. */
const untoldAttempts = 2;
const tellAgainMilliseconds = 30_000;
/** The longest time between two failures of one outage. The slowest failure is a missing answer. */
const sameOutageMilliseconds = answerMilliseconds + 10_000;
const settlingMilliseconds = 20_000;
const settlingPauseMilliseconds = 500;
const lastingPatienceMilliseconds = 10_000;

class ApiServer implements Cluster {
  readonly context: string;
  readonly server: string;
  readonly namespace: string;
  readonly #loaded: LoadedKubeconfig;
  readonly #credentials: Credentials;
  readonly #connections: Connections;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;
  readonly #patience: number;
  readonly #onAway: (because: string) => void;
  /** The client certificate of the last request. */
  #certificate: string | undefined;
  /** Whether the server has ever answered. */
  #isKnown = false;
  #away: { readonly since: number; readonly last: number } | undefined;
  /** When the server answered again after an outage. */
  #back = -Infinity;
  #told = -Infinity;

  constructor(
    loaded: LoadedKubeconfig,
    { signal, patience = patienceMilliseconds, onAway = () => {} }: Omit<ConnectOptions, keyof KubeconfigSource>,
    credentials = new Credentials(loaded),
  ) {
    this.context = loaded.context;
    this.server = loaded.server;
    this.namespace = loaded.namespace;
    this.#loaded = loaded;
    this.#credentials = credentials;
    this.#connections = new Connections(loaded);
    this.#signal = anySignal(signal, this.#closed.signal);
    this.#patience = patience;
    this.#onAway = onAway;
  }

  async call(request: ApiRequest): Promise<unknown> {
    return this.#patiently(request, async () => {
      const answer = await this.#accepted(request);
      try {
        return JSON.parse(await text(answer)) as unknown;
      } catch (cause) {
        if (cause instanceof SyntaxError) {
          throw new FabricError("invalid", `expected JSON from ${this.server}${request.path}, got ${cause.message}`, {
            cause,
          });
        }
        throw this.#failure(cause, request.signal);
      }
    });
  }

  async stream(request: ApiRequest): Promise<IncomingMessage> {
    return this.#patiently(request, () => this.#accepted(request));
  }

  async webSocket(
    path: string,
    query: ApiQuery,
    protocols: readonly string[],
    signal?: AbortSignal,
  ): Promise<WebSocket> {
    // An upgraded connection never returns to the agent.
    const open = (identity: Identity) =>
      this.#upgraded(path, query, protocols, this.#connections.options(identity), signal);
    try {
      return await this.#patiently({ signal }, () => this.#admitted(open, signal));
    } catch (error) {
      // Unknown whether the server has begun the command: only the caller knows whether it may be sent twice.
      if (this.#isKnown && passingFailure(error) === "cut") throw lost("cut before it was open", error);
      throw error;
    }
  }

  async #upgraded(
    path: string,
    query: ApiQuery,
    protocols: readonly string[],
    options: RequestOptions,
    signal: AbortSignal | undefined,
  ): Promise<WebSocket> {
    const merged = anySignal(this.#signal, signal);
    if (merged.aborted) throw abortError(merged, path);
    const url = new URL(withQuery(this.server + path, query));
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url, [...protocols], {
      ...options,
      perMessageDeflate: false,
      handshakeTimeout: connectMilliseconds,
      // The channels' frames are small; a bound keeps a faulty proxy from filling the memory.
      maxPayload: 32 * 1024 * 1024,
    });
    return new Promise((resolve, reject) => {
      const abort = () => socket.terminate();
      const done = () => merged.removeEventListener("abort", abort);
      merged.addEventListener("abort", abort, { once: true });
      socket.once("upgrade", (response) => {
        response.socket.setKeepAlive(true, tcpKeepAliveMilliseconds);
        // ws does not report the connection's error, only that it is closed (1006).
        response.socket.once("error", (error: Error) => socket.emit("error", error));
      });
      socket.once("open", () => {
        socket.pause();
        done();
        resolve(socket);
      });
      socket.once("unexpected-response", (_request, response: IncomingMessage) => {
        void text(response).then(
          (body) => reject(this.#refusal(response, body)),
          (error: unknown) => reject(this.#failure(error, merged)),
        );
        done();
      });
      // This listener stays: `close` reports later errors, which must not be thrown.
      socket.on("error", (error) => {
        done();
        // ws gives it no code.
        const isOverdue = error.message === "Opening handshake has timed out";
        reject(this.#failure(isOverdue ? coded("ETIMEDOUT", error.message) : error, merged));
      });
    });
  }

  lasting(): Cluster {
    // The same credentials: a plugin may have asked the person for them.
    const lasting = new ApiServer(this.#loaded, { patience: lastingPatienceMilliseconds }, this.#credentials);
    lasting.#isKnown = this.#isKnown;
    return lasting;
  }

  close(): void {
    this.#closed.abort(new FabricError("interrupted", "the connection to the cluster was closed"));
    this.#connections.close();
  }

  /** Sends a request, again after passing failures, until an answer comes, the server has been away too long, or the signal is aborted. */
  async #patiently<T>(request: Partial<ApiRequest>, send: () => Promise<T>): Promise<T> {
    const repeatable = isRepeatable(request);
    const begun = performance.now();
    let before: unknown;
    for (let attempt = 0; ; attempt++) {
      try {
        const answer = await send();
        this.#answered();
        return answer;
      } catch (error) {
        const now = performance.now();
        const away = pauseBefore(error, attempt, { repeatable, known: this.#isKnown });
        if (away === undefined && error instanceof ApiError) this.#answered();
        const pause = away ?? (this.#isSettling(error, now) ? settlingPauseMilliseconds : undefined);
        if (pause === undefined) throw outwaited(before, error);
        const since = away === undefined ? begun : Math.min(begun, this.#awaySince(now));
        if (now + pause - since > this.#patience) throw error;
        if (attempt >= untoldAttempts || pause > 1000 || now - begun > 1000) this.#tellAway(messageOf(error), now);
        await waitOut(error, pause, anySignal(this.#signal, request.signal));
        before = error;
        if (mayHaveArrived(error)) request.onRepeat?.();
      }
    }
  }

  #answered(): void {
    this.#isKnown = true;
    if (this.#away !== undefined) this.#back = performance.now();
    this.#away = undefined;
  }

  /** Whether a refusal may pass: an API server that has just started knows no roles and service accounts yet. */
  #isSettling(error: unknown, now: number): boolean {
    const isRefusal = error instanceof ApiError && [401, 403].includes(error.httpStatus);
    return isRefusal && now - this.#back < settlingMilliseconds;
  }

  /** When the present outage began. All calls wait for the same server, so their waits do not add up. */
  #awaySince(now: number): number {
    const isSame = this.#away !== undefined && now - this.#away.last < sameOutageMilliseconds;
    this.#away = { since: isSame ? this.#away!.since : now, last: now };
    return this.#away.since;
  }

  #tellAway(because: string, now: number): void {
    if (now - this.#told < tellAgainMilliseconds) return;
    this.#told = now;
    this.#onAway(because);
  }

  async #accepted(request: ApiRequest): Promise<IncomingMessage> {
    return this.#admitted(async (identity) => {
      const answer = await this.#send(request, identity);
      const status = answer.statusCode ?? 0;
      if (status >= 200 && status < 300) return answer;
      try {
        throw this.#refusal(answer, await text(answer));
      } catch (error) {
        throw this.#failure(error, request.signal);
      }
    }, request.signal);
  }

  /** Asks with the present credentials, and after a 401 once more with renewed ones. */
  async #admitted<T>(ask: (identity: Identity) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    // Without TLS (`kubectl proxy`) we send no credentials: the proxy has its own.
    if (this.server.startsWith("http:")) return ask({});
    const waits = anySignal(this.#signal, signal);
    const credentials = await this.#identified(this.#credentials.get(waits), waits);
    try {
      return await ask(credentials);
    } catch (error) {
      if (!(error instanceof ApiError) || error.httpStatus !== 401) throw error;
      const renewed = await this.#identified(this.#credentials.renewed(credentials, waits), waits);
      if (renewed === undefined) throw error;
      return ask(renewed);
    }
  }

  /** Waits for credentials no longer than the request may; a plugin that is asked goes on while other requests wait for it. */
  async #identified<T extends Identity | undefined>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
    const identity = await unlessAborted(asked, signal, "the wait for credentials");
    this.#certificate = identity?.cert;
    return identity;
  }

  async #send(request: ApiRequest, identity: Identity): Promise<IncomingMessage> {
    const signal = anySignal(this.#signal, request.signal);
    if (signal.aborted) throw abortError(signal, `${request.method} ${request.path}`);
    // An idle connection may be lost, so that a request has to be sent again. One that may not arrive twice gets a connection of its own.
    const options = this.#connections.options(identity, { kept: isRepeatable(request) });
    try {
      return await exchange(withQuery(this.server + request.path, request.query), request, options, signal);
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  #failure(error: unknown, signal: AbortSignal | undefined): FabricError {
    if (error instanceof FabricError) return error;
    if (this.#signal.aborted) return abortError(this.#signal, `the call of ${this.server}`);
    if (signal?.aborted) return abortError(signal, `the call of ${this.server}`);
    return unreachable(error, { ...this.#loaded, certificate: certificateOf(this.#certificate) });
  }

  #refusal({ statusCode = 0, headers }: IncomingMessage, body: string): ApiError {
    const seconds = Number(headers["retry-after"]);
    return new ApiError(statusCode, parseStatus(statusCode, body), this.context, seconds >= 0 ? seconds : undefined);
  }
}

function certificateOf(pem: string | undefined): X509Certificate | undefined {
  try {
    return pem === undefined ? undefined : new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

const isRepeatable = ({ method, repeatable }: Partial<ApiRequest>): boolean => method === "GET" || repeatable === true;

/** Sends a request; returns the answer when its head has come. */
async function exchange(
  url: string,
  request: ApiRequest,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
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
    const overdue = setTimeout(() => sent.destroy(coded("ETIMEDOUT", "no answer")), answerMilliseconds);
    sent.once("socket", (socket) => {
      socket.setKeepAlive(true, tcpKeepAliveMilliseconds);
      if (!socket.connecting) return;
      const slow = setTimeout(() => sent.destroy(coded("ETIMEDOUT", "connection timed out")), connectMilliseconds);
      socket.once("connect", () => clearTimeout(slow)).once("close", () => clearTimeout(slow));
    });
    sent.once("close", () => clearTimeout(overdue));
    sent.once("response", (response) => {
      clearTimeout(overdue);
      resolve(response);
    });
    sent.on("error", reject);
  });
  // As bytes: with a text, Node would send the headers as UTF-8 once more.
  sent.end(body === undefined ? undefined : Buffer.from(body));
  return answer;
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
