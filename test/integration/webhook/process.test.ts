// The bundle as a process of its own, against a Kubernetes API on loopback that has just been given the manifests.
import { spawn, type ChildProcess } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { bundleOf } from "./bundle.ts";
import { AUTHORITY, CONFIGURATION, LEAF, startCluster, type FakeCluster } from "./cluster.ts";
import { newCaller, peerPod, reviewOf } from "./reviews.ts";

let directory: string;
let program: string;
let cluster: FakeCluster;
let running: Webhook[];

interface Webhook {
  readonly child: ChildProcess;
  readonly probes: number;
  readonly lines: Record<string, unknown>[];
  /** The port of reviews, once it is known. */
  port(): Promise<number>;
  probe(path: string): Promise<{ status: number; text: string }>;
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-webhook-"));
  program = join(directory, "webhook.mjs");
  await build(bundleOf("webhook/main.ts", program));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

beforeEach(async () => {
  running = [];
  cluster = await startCluster({
    org1: {},
    locked: { "pod-security.kubernetes.io/enforce": "restricted" },
  });
});

afterEach(async () => {
  await Promise.all(running.map((webhook) => webhook.end("SIGKILL")));
  await cluster.close();
});

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`${what}: it did not happen`);
    await sleep(20);
  }
}

async function start(...flags: string[]): Promise<Webhook> {
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig);
  const args = [program, "--port=0", "--probes-port=0", "--drain-seconds=1", ...flags];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const lines: Record<string, unknown>[] = [];
  let rest = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const parts = `${rest}${text}`.split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts.map((line) => JSON.parse(line) as Record<string, unknown>));
  });
  const said = (message: string) => lines.find((line) => line["message"] === message);
  const exited = once(child, "exit") as Promise<[number | null]>;
  const probes = await until(
    "start",
    () => (said("started")?.["probesPort"] ?? (child.exitCode === null ? undefined : 0)) as number | undefined,
  );
  const webhook: Webhook = {
    child,
    lines,
    probes,
    port: () => until("a certificate", () => said("serving a certificate")?.["port"] as number | undefined),
    probe: async (path) => {
      const response = await fetch(`http://127.0.0.1:${probes}${path}`);
      return { status: response.status, text: await response.text() };
    },
    end: async (signal = "SIGTERM") => {
      child.kill(signal);
      return (await exited)[0];
    },
  };
  running.push(webhook);
  return webhook;
}

function ready(webhook: Webhook): Promise<true> {
  return until("readiness", async () => ((await webhook.probe("/readyz")).status === 200 ? true : undefined));
}

function published(): string {
  const [webhook] = cluster.get(CONFIGURATION).webhooks ?? [];
  return Buffer.from(webhook?.clientConfig.caBundle ?? "", "base64").toString();
}

test("it issues its certificates, publishes its CA, and answers reviews", async () => {
  const webhook = await start();
  await ready(webhook);
  const caller = newCaller(await webhook.port(), published);
  const injected = await caller.call(reviewOf(peerPod()));
  expect(JSON.parse(injected.text)).toMatchObject({ response: { allowed: true, patchType: "JSONPatch" } });
  const denied = await caller.call(reviewOf(peerPod(), { namespace: "locked" }));
  expect(JSON.parse(denied.text)).toMatchObject({
    response: {
      allowed: false,
      status: { code: 403, message: expect.stringContaining("kubectl label namespace locked") },
    },
  });
  const patch = JSON.stringify(JSON.parse(injected.text));
  expect(patch.length).toBeGreaterThan(500);
  expect(cluster.get(AUTHORITY).metadata.labels).toEqual({ keep: "me" });
  expect(Object.keys(cluster.get(AUTHORITY).data ?? {}).toSorted()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
  const { text } = await webhook.probe("/metrics");
  const leaf = new X509Certificate(Buffer.from(cluster.get(LEAF).data?.["tls.crt"] ?? "", "base64"));
  expect(text).toContain(
    `kubectl_fabric_certificate_expiry_timestamp_seconds{certificate="leaf"} ${leaf.validToDate.getTime() / 1000}`,
  );
  expect(text).toContain("kubectl_fabric_ready 1");
  caller.close();
  const key =
    Buffer.from(cluster.get(LEAF).data?.["tls.key"] ?? "", "base64")
      .toString()
      .split("\n")[1] ?? "";
  const log = JSON.stringify(webhook.lines);
  expect(key.length).toBeGreaterThan(20);
  expect(log).not.toContain(key);
  expect(log).not.toContain("a-token-that-must-not-be-logged");
});

test("replicas that start at once serve one certificate; a later one takes it over", async () => {
  const both = await Promise.all([start(), start(), start()]);
  await Promise.all(both.map(ready));
  const later = await start();
  await ready(later);
  const fingerprints = await Promise.all(
    [...both, later].map(async (webhook) => {
      const caller = newCaller(await webhook.port(), published);
      const { status, fingerprint } = await caller.call(reviewOf(peerPod()));
      caller.close();
      return `${status} ${fingerprint}`;
    }),
  );
  expect(new Set(fingerprints).size).toBe(1);
  expect(cluster.requests.filter((request) => request === `PUT ${AUTHORITY} 200`)).toHaveLength(1);
});

test("it is alive but not ready while the cluster cannot be reached, and says why", async () => {
  await cluster.close();
  const webhook = await start();
  expect((await webhook.probe("/healthz")).status).toBe(200);
  expect(await webhook.probe("/readyz")).toEqual({ status: 503, text: "no certificate is issued and published yet\n" });
  const warning = await until("a warning", () => webhook.lines.find(({ level }) => level === "warn"));
  expect(warning["message"]).toBe("certificates could not be checked");
  expect(await webhook.end()).toBe(0);
  cluster = await startCluster({});
});

test("SIGTERM: not ready first, answering on, then a clean end", async () => {
  const webhook = await start();
  await ready(webhook);
  const caller = newCaller(await webhook.port(), published);
  await caller.call(reviewOf(peerPod()));
  const ended = webhook.end();
  await until("not ready", async () =>
    (await webhook.probe("/readyz")).text === "shutting down\n" ? true : undefined,
  );
  expect(await caller.call(reviewOf(peerPod()))).toMatchObject({ status: 200, headers: { connection: "close" } });
  expect(await ended).toBe(0);
  expect(webhook.lines.at(-1)?.["message"]).toBe("ended");
  caller.close();
});

test("settings are read from a file, and again when it changes; a bad file changes nothing", async () => {
  const file = join(directory, "settings.yaml");
  await writeFile(file, "dockerSocket: {default: deny}\n");
  const webhook = await start(`--settings=${file}`);
  await ready(webhook);
  const caller = newCaller(await webhook.port(), published);
  const reasonOf = async () => {
    const { text } = await caller.call(reviewOf(peerPod()));
    return (JSON.parse(text) as { response: { auditAnnotations: { outcome: string } } }).response.auditAnnotations
      .outcome;
  };
  expect(await reasonOf()).toBe("docker-socket");
  await writeFile(file, "dockerSocket: {default: replace}\n");
  await until("new settings", async () => ((await reasonOf()) === "injected" ? true : undefined));
  await writeFile(file, "dockerSocket: {default: burn}\n");
  const error = await until("an error", () => webhook.lines.find(({ level }) => level === "error"));
  expect(error["reason"]).toContain('dockerSocket.default: expected replace, keep, deny, found "burn"');
  expect(await reasonOf()).toBe("injected");
  expect((await webhook.probe("/metrics")).text).toContain("kubectl_fabric_settings_valid 0");
  caller.close();
});

test("it does not start on bad settings or flags, and says which", async () => {
  const file = join(directory, "bad.yaml");
  await writeFile(file, "storage: {limit: {default: 1Pi}}\n");
  const bad = await start(`--settings=${file}`);
  await until("the end", () => bad.child.exitCode ?? undefined);
  expect(bad.child.exitCode).toBe(1);
  expect(bad.lines.at(-1)).toMatchObject({
    message: "cannot run",
    reason: expect.stringContaining("storage.limit.default"),
  });
  const flag = await start("--drain-seconds=soon");
  await until("the end", () => flag.child.exitCode ?? undefined);
  expect(flag.lines.at(-1)?.["reason"]).toBe('--drain-seconds: expected a whole number up to 3600, found "soon"');
});
