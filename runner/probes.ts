import { createServer, type Server } from "node:http";
import type { Metrics } from "./metrics.ts";

/** For the kubelet and Prometheus: plain HTTP with /healthz, /readyz and /metrics. `reason` says why it is not ready. */
export function newProbesServer(reason: () => string | undefined, metrics: Metrics): Server {
  return createServer((request, response) => {
    const path = request.url?.replace(/\?.*$/, "");
    const plain = (status: number, text: string) =>
      response.writeHead(status, { "Content-Type": "text/plain" }).end(`${text}\n`);
    if (request.method !== "GET" && request.method !== "HEAD") plain(405, "expected GET");
    else if (path === "/healthz") plain(200, "ok");
    else if (path === "/readyz") plain(reason() === undefined ? 200 : 503, reason() ?? "ok");
    else if (path === "/metrics") {
      void metrics.text().then(
        (text) => response.writeHead(200, { "Content-Type": metrics.contentType }).end(text),
        () => plain(500, "no metrics"),
      );
    } else plain(404, "expected /healthz, /readyz or /metrics");
  });
}
