// The HTTPS server with real reviews, over real TLS, on loopback.
import { once } from "node:events";
import { request } from "node:https";
import { connect } from "node:net";
import jsonPatch, { type Operation } from "fast-json-patch";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newAdmissionApp } from "../../../webhook/admission.ts";
import type { KeyPair } from "../../../webhook/certificates/certificate.ts";
import { issuer } from "../../../webhook/certificates/issue.ts";
import { defaultSettings } from "../../../core/injection/settings.ts";
import { newLog } from "../../../core/process/log.ts";
import { newMetrics, type Metrics } from "../../../webhook/metrics.ts";
import type { AdmissionReview } from "../../../webhook/review.ts";
import { serveTls, type RunningTlsServer } from "../../../webhook/server.ts";
import { newCaller, peerPod, reviewOf, serverName } from "./reviews.ts";

const dayMs = 86_400_000;
/** A busy machine takes its time. */
const patience = { timeout: 20_000 };

let authority: KeyPair;
let trusted: string;
let server: RunningTlsServer;
let metrics: Metrics;
let lines: string[];
let caller: ReturnType<typeof newCaller>;
/** What a review waits for before it is answered. */
let held: Promise<unknown>;
/** Reviews that have come to that point. */
let waiting: number;

async function newLeaf(signer: KeyPair): Promise<KeyPair> {
  const now = new Date();
  return issuer.leaf(signer, new Date(now.getTime() + dayMs), [serverName], now);
}

beforeEach(async () => {
  authority = await issuer.authority(new Date());
  trusted = authority.cert;
  metrics = newMetrics("1.2.3");
  lines = [];
  held = Promise.resolve();
  waiting = 0;
  const app = newAdmissionApp({
    settings: () => defaultSettings,
    cluster: async (namespace) => {
      waiting++;
      await held;
      return { namespace: { name: namespace, labels: {} }, mtu: 1400 };
    },
    seconds: () => performance.now() / 1000,
    version: "1.2.3",
    metrics,
    log: newLog(
      (line) => lines.push(line),
      () => new Date(),
    ),
  });
  server = await serveTls(app, 0, await newLeaf(authority));
  caller = newCaller(server.port, () => trusted);
});

afterEach(async () => {
  caller.close();
  await server.drain(Promise.resolve());
});

/** Whether somebody takes connections. */
async function listens(): Promise<boolean> {
  const socket = connect(server.port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

function responseOf(text: string): AdmissionReview["response"] {
  const review = JSON.parse(text) as AdmissionReview;
  expect(review).toMatchObject({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" });
  return review.response;
}

describe("reviews", () => {
  test("an annotated peer is injected", async () => {
    const { status, headers, text } = await caller.call(reviewOf(peerPod()));
    expect(status).toBe(200);
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(headers).not.toHaveProperty("etag");
    expect(headers).not.toHaveProperty("x-powered-by");
    const response = responseOf(text);
    expect(response).toMatchObject({
      uid: "0f1e2d3c",
      allowed: true,
      patchType: "JSONPatch",
      auditAnnotations: { outcome: "injected", "peer-container": "peer", profile: "privileged" },
    });
    const operations = JSON.parse(Buffer.from(response.patch ?? "", "base64").toString()) as Operation[];
    const pod = jsonPatch.applyPatch(peerPod(), operations, true).newDocument;
    expect(pod.spec.volumes.map(({ name }) => name)).toEqual(["kubectl-fabric-socket", "kubectl-fabric-graph"]);
    expect(pod.spec.containers[0]?.env[0]).toEqual({
      name: "CORE_VM_ENDPOINT",
      value: "unix:///kubectl-fabric/docker.sock",
    });
  });

  test("a Pod without the annotation passes without a patch", async () => {
    const { text } = await caller.call(reviewOf(peerPod({})));
    expect(responseOf(text)).toEqual({
      uid: "0f1e2d3c",
      allowed: true,
      auditAnnotations: { outcome: "no-annotation" },
    });
  });

  test("a denial carries status, message and reason, and no patch", async () => {
    const annotations = {
      "kubectl-fabric.io/inject": "true",
      "kubectl-fabric.io/dind-image": "evil.example.com/dind:1",
    };
    const { status, text } = await caller.call(reviewOf(peerPod(annotations)));
    expect(status).toBe(200);
    const response = responseOf(text);
    expect(response.allowed).toBe(false);
    expect(response).not.toHaveProperty("patch");
    expect(response.status).toMatchObject({ code: 403, reason: "Forbidden" });
    expect(response.status?.message).toContain('found "evil.example.com/dind:1"');
  });

  test("warnings reach the user", async () => {
    const pod = peerPod();
    const both = { ...pod, spec: { ...pod.spec, shareProcessNamespace: true } };
    const { text } = await caller.call(reviewOf(both));
    expect(responseOf(text).warnings).toEqual([expect.stringContaining("shareProcessNamespace")]);
  });

  test.each([
    ["a deletion", { operation: "DELETE", object: null, oldObject: peerPod() }],
    ["an update", { operation: "UPDATE", oldObject: peerPod() }],
    ["a subresource", { subResource: "ephemeralcontainers" }],
    ["another kind", { resource: { group: "apps", version: "v1", resource: "deployments" } }],
  ])("%s passes as it is", async (_, request) => {
    const { text } = await caller.call(reviewOf(peerPod(), request));
    expect(responseOf(text)).toEqual({ uid: "0f1e2d3c", allowed: true });
  });

  test("what is logged and counted says who and why, and nothing that a Pod holds", async () => {
    const pod = peerPod();
    pod.spec.containers[0]?.env.push({ name: "PASSWORD", value: "secret-of-the-pod" });
    await caller.call(reviewOf(pod));
    await caller.call(reviewOf(peerPod({ "kubectl-fabric.io/inject": "maybe" })));
    expect(lines.join("")).not.toContain("secret-of-the-pod");
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged[0]).toMatchObject({
      level: "info",
      message: "injected",
      namespace: "org1",
      pod: "peer0-*",
      container: "peer",
    });
    expect(logged[1]).toMatchObject({ level: "warn", message: "denied", reason: "invalid-value" });
    const text = await metrics.text();
    expect(text).toContain('kubectl_fabric_admissions_total{result="injected",reason=""} 1');
    expect(text).toContain('kubectl_fabric_admissions_total{result="denied",reason="invalid-value"} 1');
    expect(text).toContain("kubectl_fabric_admission_duration_seconds_count 2");
    expect(text).toContain('kubectl_fabric_build_info{version="1.2.3"} 1');
  });
});

describe("what is no review", () => {
  test.each([
    ["bad JSON", "{", 400, "expected JSON"],
    ["an empty body", "", 400, "expected JSON"],
    [
      "another version",
      reviewOf(peerPod()).replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1"),
      400,
      "found admission.k8s.io/v1beta1",
    ],
    ["another kind", JSON.stringify({ apiVersion: "v1", kind: "Pod" }), 400, "found v1 Pod"],
    ["no uid", reviewOf(peerPod(), { uid: "" }), 400, "uid"],
    ["a list", "[]", 400, "found neither"],
    ["null", "null", 400, "found neither"],
  ])("%s is refused", async (_, body, status, message) => {
    const reply = await caller.call(body);
    expect(reply.status).toBe(status);
    expect((JSON.parse(reply.text) as { error: string }).error).toContain(message);
  });

  test("more than 7 MiB is refused, a little less is taken", async () => {
    const big = (bytes: number) => reviewOf(peerPod({ note: "x".repeat(bytes) }));
    expect((await caller.call(big(7 * 2 ** 20))).status).toBe(413);
    expect((await caller.call(big(7 * 2 ** 20 - 4096))).status).toBe(200);
  });

  test("bodies under way are bounded together: until they have their answers", async () => {
    const annotations = { "kubectl-fabric.io/inject": "true", note: "x".repeat(6.3 * 2 ** 20) };
    const body = reviewOf(peerPod(annotations));
    const release = Promise.withResolvers<void>();
    held = release.promise;
    const underWay = Array.from({ length: 5 }, () => caller.call(body));
    await expect.poll(() => waiting, patience).toBe(5);
    expect((await caller.call(body)).status).toBe(503);
    expect(await metrics.text()).toContain('kubectl_fabric_admissions_total{result="invalid",reason="busy"} 1');
    // What is small still passes beside them.
    expect((await caller.call(reviewOf(peerPod({})))).status).toBe(200);
    release.resolve();
    expect((await Promise.all(underWay)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await caller.call(body)).status).toBe(200);
  });

  test("a body that does not come is not waited for", async () => {
    const headers = { "Content-Type": "application/json", "Content-Length": 1000 };
    const address = { host: "127.0.0.1", port: server.port, path: "/inject", ca: trusted, servername: serverName };
    const unfinished = request({ ...address, method: "POST", headers });
    unfinished.write("{");
    await expect(once(unfinished, "response")).rejects.toThrow("socket hang up");
  });

  test("a denial and its line are short, however long what was reviewed", async () => {
    const pod = peerPod();
    const name = "x".repeat(2 ** 20);
    const containers = [pod.spec.containers[0], pod.spec.containers[0]].map((container) => ({ ...container, name }));
    const { text } = await caller.call(reviewOf({ ...pod, metadata: { ...pod.metadata, name }, spec: { containers } }));
    expect(responseOf(text).status?.message).toContain("several containers look like a Fabric peer");
    expect(text.length).toBeLessThan(3000);
    expect(lines.join("").length).toBeLessThan(6000);
    expect((await caller.call(reviewOf(pod, { uid: name }))).status).toBe(400);
  });

  test("another content type, path or method is refused", async () => {
    const body = reviewOf(peerPod());
    expect((await caller.call(body, { headers: { "Content-Type": "text/plain" } })).status).toBe(415);
    expect((await caller.call(body, { path: "/elsewhere" })).status).toBe(404);
    expect((await caller.call("", { method: "GET" })).status).toBe(404);
  });

  test("a Pod that makes no sense is an outcome, not a crash", async () => {
    for (const object of [null, {}, { metadata: { annotations: { "kubectl-fabric.io/inject": "true" } } }]) {
      const { status, text } = await caller.call(reviewOf(object));
      expect(status).toBe(200);
      expect(responseOf(text)).not.toHaveProperty("patch");
    }
  });
});

describe("connections", () => {
  test("a new certificate serves new connections and drops no old one", async () => {
    const next = await issuer.authority(new Date());
    // As published while a CA follows the other; the caller keeps connections for one bundle.
    trusted = `${authority.cert}${next.cert}`;
    const first = await caller.call(reviewOf(peerPod()));
    server.use(await newLeaf(next));
    const kept = await caller.call(reviewOf(peerPod()));
    expect(kept).toMatchObject({ status: 200, reused: true, fingerprint: first.fingerprint });
    const other = newCaller(server.port, () => next.cert);
    const fresh = await other.call(reviewOf(peerPod()));
    other.close();
    expect(fresh).toMatchObject({ status: 200, reused: false });
    expect(fresh.fingerprint).not.toBe(first.fingerprint);
  });

  test("a caller that does not trust the CA is not served", async () => {
    trusted = (await issuer.authority(new Date())).cert;
    await expect(caller.call(reviewOf(peerPod()))).rejects.toThrow(/certificate|signature/);
  });

  test("are no more than three API servers open; one that goes makes room", async () => {
    const open = async () => {
      const socket = connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    const sockets = await Promise.all(Array.from({ length: 600 }, open));
    try {
      const oneMore = await open();
      await once(oneMore.resume(), "close");
      sockets.pop()?.destroy();
      const status = async () => (await caller.call(reviewOf(peerPod())).catch(() => undefined))?.status;
      await expect.poll(status, patience).toBe(200);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  });

  test("draining answers what comes, sends callers elsewhere, finishes what was begun, then closes", async () => {
    const before = await caller.call(reviewOf(peerPod()));
    expect(before.headers.connection).toBe("keep-alive");
    const gone = Promise.withResolvers<void>();
    const drained = server.drain(gone.promise);
    const during = await caller.call(reviewOf(peerPod()));
    expect(during.status).toBe(200);
    expect(during.headers.connection).toBe("close");

    const release = Promise.withResolvers<void>();
    held = release.promise;
    const already = waiting;
    const begun = caller.call(reviewOf(peerPod()));
    await expect.poll(() => waiting, patience).toBe(already + 1);
    gone.resolve();
    await expect.poll(listens, patience).toBe(false);
    await expect(newCaller(server.port, () => trusted).call(reviewOf(peerPod()))).rejects.toThrow("ECONNREFUSED");
    release.resolve();
    expect((await begun).status).toBe(200);
    await drained;
    // For afterEach, which drains whatever there is.
    server = { ...server, drain: () => Promise.resolve() };
  });
});
