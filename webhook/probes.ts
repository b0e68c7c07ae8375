import type { ServerResponse } from "node:http";
import express, { type Express } from "express";
import type { Metrics } from "./metrics.ts";

/** Reasons why the process cannot answer reviews; empty when it can. */
export type Readiness = () => readonly string[];

/** The express application for the kubelet and for Prometheus: plain HTTP, on a port of its own. */
export function newProbesApp(readiness: Readiness, metrics: Metrics): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.get("/healthz", (_, response) => {
    send(response, 200, "ok\n");
  });
  app.get("/readyz", (_, response) => {
    const missing = readiness();
    if (missing.length === 0) send(response, 200, "ok\n");
    else send(response, 503, missing.map((line) => `${line}\n`).join(""));
  });
  app.get("/metrics", async (_, response) => {
    send(response, 200, await metrics.text(), metrics.contentType);
  });
  return app;
}

/** By Node's own method, as in the answers to reviews. */
function send(response: ServerResponse, status: number, text: string, type = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "Content-Type": type }).end(text);
}
