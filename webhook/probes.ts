import express, { type Express } from "express";
import type { Metrics } from "./metrics.ts";

/** What keeps the process from answering reviews; nothing when it can. */
export type Readiness = () => readonly string[];

/** The express application for the kubelet and for Prometheus: plain HTTP, on a port of its own. */
export function newProbesApp(readiness: Readiness, metrics: Metrics): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.get("/healthz", (_, response) => {
    response.type("text/plain").end("ok\n");
  });
  app.get("/readyz", (_, response) => {
    const missing = readiness();
    response.status(missing.length === 0 ? 200 : 503).type("text/plain");
    response.end(missing.length === 0 ? "ok\n" : missing.map((line) => `${line}\n`).join(""));
  });
  app.get("/metrics", async (_, response) => {
    response.setHeader("Content-Type", metrics.contentType);
    response.end(await metrics.text());
  });
  return app;
}
