// The bundle as a process of its own, against a Kubernetes API on loopback that has just been given the manifests.
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { bundleWebhook } from "../../../build/bundle.ts";
import { authorityPath, configurationPath, leafPath, startCluster, type FakeCluster } from "./cluster.ts";
import { newCaller, peerPod, reviewOf } from "./reviews.ts";
import { ready, startWebhook, until, type WebhookProcess } from "./webhook-process.ts";

let directory: string;
let program: string;
let cluster: FakeCluster;
let running: WebhookProcess[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-webhook-"));
  program = join(directory, "webhook.cjs");
  await bundleWebhook(program);
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

async function start(...flags: string[]): Promise<WebhookProcess> {
  const kubeconfig = join(directory, "kubeconfig");
  await writeFile(kubeconfig, cluster.kubeconfig);
  const webhook = await startWebhook(program, kubeconfig, flags);
  running.push(webhook);
  return webhook;
}

function published(): string {
  const [webhook] = cluster.get(configurationPath).webhooks ?? [];
  return Buffer.from(webhook?.clientConfig.caBundle ?? "", "base64").toString();
}

test("--version tells it, and starts nothing", async () => {
  const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
  const { stdout } = await promisify(execFile)(process.execPath, [program, "--version"]);
  expect(stdout).toBe(`${version}\n`);
});

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
  expect(cluster.get(authorityPath).metadata.labels).toEqual({ keep: "me" });
  expect(Object.keys(cluster.get(authorityPath).data ?? {}).toSorted()).toEqual(["ca.crt", "tls.crt", "tls.key"]);
  const { text } = await webhook.probe("/metrics");
  const leaf = new X509Certificate(Buffer.from(cluster.get(leafPath).data?.["tls.crt"] ?? "", "base64"));
  expect(text).toContain(
    `kubectl_fabric_certificate_expiry_timestamp_seconds{certificate="leaf"} ${leaf.validToDate.getTime() / 1000}`,
  );
  expect(text).toContain("kubectl_fabric_ready 1");
  expect(text).toMatch(/^process_resident_memory_bytes \d/m);
  expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
  caller.close();
  const key =
    Buffer.from(cluster.get(leafPath).data?.["tls.key"] ?? "", "base64")
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
  expect(cluster.requests.filter((request) => request === `PUT ${authorityPath} 200`)).toHaveLength(1);
});

test("it is alive but not ready while the cluster cannot be reached, and says why", async () => {
  await cluster.close();
  const webhook = await start();
  expect((await webhook.probe("/healthz")).status).toBe(200);
  const { status, text } = await webhook.probe("/readyz");
  expect({ status, text }).toEqual({
    status: 503,
    text: expect.stringContaining("no certificate is issued and published yet"),
  });
  const warning = await until("a warning", () => webhook.lines.find(({ level }) => level === "warn"));
  expect(warning["message"]).toBe("certificates could not be checked");
  const asked = await webhook.probe("/readyz");
  expect(asked.text).toContain(String(warning["reason"]).slice(0, 20));
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
  expect(await bad.end()).toBe(1);
  expect(bad.lines.at(-1)).toMatchObject({
    message: "cannot run",
    reason: expect.stringContaining("storage.limit.default"),
  });
  const flag = await start("--drain-seconds=soon");
  await until("the end", () => flag.child.exitCode ?? undefined);
  expect(await flag.end()).toBe(1);
  expect(flag.lines.at(-1)?.["reason"]).toBe('--drain-seconds: expected a whole number up to 3600, found "soon"');
});
