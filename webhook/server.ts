import { once } from "node:events";
import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** A certificate with its key, as PEM. */
export interface ServingCertificate {
  readonly cert: string;
  readonly key: string;
}

/** A listening server. */
export interface RunningServer {
  readonly port: number;
  /**
   * Goes on answering until `gone` is settled, but tells each caller to close its connection. Then ends idle connections, waits
   * for the busy ones, and closes.
   */
  drain(gone: Promise<unknown>): Promise<void>;
}

/** A RunningServer whose certificate can be changed while connections are open. */
export interface RunningTlsServer extends RunningServer {
  use(certificate: ServingCertificate): void;
}

/** Longer than the API server keeps idle connections to a webhook, which is 90 s (client-go): we must not close one that it uses. */
const keepAliveMs = 120_000;

/** Enough for three API servers: each handles at most 200 mutating requests at a time by default. */
const mostConnections = 600;

/** How often Node checks for connections that have reached their time limits. */
const checkIntervalMs = 5000;

/** Serves HTTPS, TLS 1.2 or later. */
export async function serveTls(
  app: RequestListener,
  port: number,
  certificate: ServingCertificate,
): Promise<RunningTlsServer> {
  const server = createHttpsServer({
    ...certificate,
    minVersion: "TLSv1.2",
    connectionsCheckingInterval: checkIntervalMs,
  });
  const running = await listen(server, app, port);
  return {
    ...running,
    // New connections get the new certificate, open ones keep theirs.
    use: (next) => server.setSecureContext({ ...next, minVersion: "TLSv1.2" }),
  };
}

/** Serves plain HTTP. */
export function serve(app: RequestListener, port: number): Promise<RunningServer> {
  return listen(createHttpServer({ connectionsCheckingInterval: checkIntervalMs }), app, port);
}

async function listen(server: Server, app: RequestListener, port: number): Promise<RunningServer> {
  server.keepAliveTimeout = keepAliveMs;
  // This time counts from the connection's beginning. Go keeps connections that it dialled and did not need: a shorter time could end
  // one just when Go uses it.
  server.headersTimeout = keepAliveMs + 5000;
  // Off, for it would end such a connection, too. A body has a time limit of its own (request-body.ts).
  server.requestTimeout = 0;
  server.maxConnections = mostConnections;
  const draining = new AbortController();
  server.on("request", (request, response) => {
    if (draining.signal.aborted) response.setHeader("Connection", "close");
    app(request, response);
  });
  server.listen(port);
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, drain: (gone) => drain(server, draining, gone) };
}

async function drain(server: Server, draining: AbortController, gone: Promise<unknown>): Promise<void> {
  draining.abort();
  await gone;
  const closed = once(server, "close");
  // Ends idle connections as well (Node 19). A busy one ends after its answer, which has "Connection: close".
  server.close();
  await closed;
}
