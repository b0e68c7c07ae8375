import { createServer as createHttpServer, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { messageOf } from "../log.ts";
import { anyAddress } from "./grpc-server.ts";
import type { ServerTls } from "./tls.ts";

/** A part of the node whose health is asked for; rejects when it is not well. */
export interface HealthCheck {
  readonly component: string;
  readonly check: () => Promise<void>;
}

/** /healthz, /version and /metrics of the operations port (fabric-lib-go healthz). */
export function newOperations(
  version: string,
  checks: readonly HealthCheck[],
  metrics: (() => string) | undefined,
): RequestListener {
  return (request, response) => {
    const path = new URL(request.url ?? "/", "http://node").pathname;
    if (path === "/healthz") {
      void health(checks).then((failed) => answerHealth(response, failed));
    } else if (path === "/metrics" && metrics !== undefined) {
      response.writeHead(200, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" });
      response.end(metrics());
    } else if (path === "/version") {
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ Version: version, CommitSHA: "emulator" }));
    } else {
      response.writeHead(404).end();
    }
  };
}

interface FailedCheck {
  readonly component: string;
  readonly reason: string;
}

function answerHealth(response: ServerResponse, failed: readonly FailedCheck[]): void {
  const time = new Date().toISOString();
  response.writeHead(failed.length === 0 ? 200 : 503, { "Content-Type": "application/json" });
  response.end(
    JSON.stringify(
      failed.length === 0 ? { status: "OK", time } : { status: "Service Unavailable", time, failed_checks: failed },
    ),
  );
}

async function health(checks: readonly HealthCheck[]): Promise<readonly FailedCheck[]> {
  const results = await Promise.all(
    checks.map(async ({ component, check }) => {
      try {
        await check();
        return [];
      } catch (error) {
        return [{ component, reason: messageOf(error) }];
      }
    }),
  );
  return results.flat();
}

/** Serves HTTP, or HTTPS when there is a certificate; `address` is host:port. */
export async function serveHttp(
  address: string,
  tls: ServerTls | undefined,
  listener: RequestListener,
): Promise<{ readonly server: Server; readonly port: number }> {
  const server =
    tls === undefined
      ? createHttpServer(listener)
      : createHttpsServer(
          {
            cert: tls.certificate,
            key: tls.key,
            ...(tls.clientRoots === undefined ? {} : { ca: tls.clientRoots, requestCert: true }),
          },
          listener,
        );
  const [, host, port] = /^(.*):(\d+)$/.exec(anyAddress(address)) ?? [];
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(Number(port), host, resolve);
  });
  return { server, port: (server.address() as AddressInfo).port };
}
