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
   * Goes on answering until `gone` is settled, but asks each caller to come back elsewhere; then ends idle connections, waits
   * for the busy ones, and is closed.
   */
  drain(gone: Promise<unknown>): Promise<void>;
}

/** As a RunningServer, with a certificate that can be changed under open connections. */
export interface RunningTlsServer extends RunningServer {
  use(certificate: ServingCertificate): void;
}

/** The API server keeps idle connections to a webhook for 90 s (client-go); it must never find one closed by us. */
const keepAliveMs = 120_000;

/** Three API servers with 200 requests each that change something, the most they take by default, keep no more open. */
const mostConnections = 600;

/** How often Node looks for connections that wait too long. */
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
    // Node: new connections get the new certificate, open ones go on.
    use: (next) => server.setSecureContext({ ...next, minVersion: "TLSv1.2" }),
  };
}

/** Serves plain HTTP. */
export function serve(app: RequestListener, port: number): Promise<RunningServer> {
  return listen(createHttpServer({ connectionsCheckingInterval: checkIntervalMs }), app, port);
}

async function listen(server: Server, app: RequestListener, port: number): Promise<RunningServer> {
  server.keepAliveTimeout = keepAliveMs;
  // From a connection's beginning, and Go keeps one that it has dialled for nothing: to end that sooner would meet its next request.
  server.headersTimeout = keepAliveMs + 5000;
  // It would end such a connection, too; a body has a time of its own (request-body.ts).
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
  // Ends the idle connections as well (Node 19); a busy one ends after its answer, which says "Connection: close".
  server.close();
  await closed;
}
