// How long a review takes: node test/bench/webhook.ts [--seconds N]. Nothing here is asserted.
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { V1Pod } from "@kubernetes/client-node";
import { parse } from "yaml";
import { newAdmissionApp } from "../../webhook/admission.ts";
import { issuer } from "../../webhook/certificates/issue.ts";
import { inject } from "../../webhook/inject/inject.ts";
import { DEFAULT_SETTINGS } from "../../webhook/inject/settings.ts";
import { newLog } from "../../webhook/log.ts";
import { newMetrics } from "../../webhook/metrics.ts";
import { serveTls } from "../../webhook/server.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "3" } } });
const seconds = Number(values.seconds);

const HOST = "webhook.bench.svc";
const golden = join(import.meta.dirname, "../unit/webhook/golden/chart-bevel-statefulset/pod.yaml");
const pod = parse(readFileSync(golden, "utf8")) as V1Pod;
const cluster = { apiServer: { major: 1, minor: 36, patch: 3 }, mtu: 1450 };
const plain: V1Pod = Object.assign({}, pod, { metadata: { name: "plain" } });

function print(what: string, count: number, times: readonly number[], elapsedMs: number): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string => ((sorted[Math.floor(sorted.length * share)] ?? 0) * 1000).toFixed(0);
  console.log(
    `${what.padEnd(34)} ${((count / elapsedMs) * 1000).toFixed(0).padStart(8)} a second   p50 ${at(0.5)} µs   p99 ${at(0.99)} µs`,
  );
}

function measureDecision(what: string, subject: V1Pod): void {
  const times: number[] = [];
  const begin = performance.now();
  while (performance.now() - begin < seconds * 1000) {
    const one = performance.now();
    inject(subject, { settings: DEFAULT_SETTINGS, cluster, version: "0.0.0" });
    times.push(performance.now() - one);
  }
  print(what, times.length, times, performance.now() - begin);
}

async function measureServer(what: string, subject: V1Pod, connections: number): Promise<void> {
  const now = new Date();
  const authority = await issuer.authority(now);
  const leaf = await issuer.leaf(authority, new Date(now.getTime() + 86_400_000), [HOST], now);
  const app = newAdmissionApp({
    settings: () => DEFAULT_SETTINGS,
    cluster: async () => cluster,
    seconds: () => performance.now() / 1000,
    version: "0.0.0",
    metrics: newMetrics("0.0.0"),
    log: newLog(
      () => {},
      () => new Date(),
    ),
  });
  const server = await serveTls(app, 0, leaf);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const body = JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "1", operation: "CREATE", namespace: "bench", resource: { resource: "pods" }, object: subject },
  });
  const options = {
    agent,
    host: "127.0.0.1",
    port: server.port,
    path: "/inject",
    method: "POST",
    ca: authority.cert,
    servername: HOST,
    headers: { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) },
  };
  const call = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const outgoing = request(options, (response) => response.resume().on("end", resolve));
      outgoing.on("error", reject).end(body);
    });
  const times: number[] = [];
  const begin = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() - begin < seconds * 1000) {
      const one = performance.now();
      await call();
      times.push(performance.now() - one);
    }
  };
  await Promise.all(Array.from({ length: connections }, caller));
  print(what, times.length, times, performance.now() - begin);
  agent.destroy();
  await server.drain(Promise.resolve());
}

measureDecision("decide: a peer to inject", pod);
measureDecision("decide: a Pod left alone", plain);
await measureServer("review by HTTPS, 1 connection", pod, 1);
await measureServer("review by HTTPS, 8 connections", pod, 8);
