import { X509Certificate } from "node:crypto";
import { connect, createServer } from "node:tls";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { isSignedBy, isUsable, names, splitBundle } from "../../../webhook/certificates/certificate.ts";
import { authorityDays, issuer, leafDays } from "../../../webhook/certificates/issue.ts";
import {
  authorityRenewalMs,
  isServable,
  leafRenewalMs,
  nextStep,
  pruningMs,
  reconcile,
  settlingMs,
  type RotationStep,
} from "../../../webhook/certificates/rotation.ts";
import { MemoryStore } from "./memory-store.ts";

const dayMs = 86_400_000;
const start = new Date("2026-01-01T00:00:00Z");
const webhookHosts = ["webhook.system.svc", "webhook"];

function at(milliseconds: number): Date {
  return new Date(start.getTime() + milliseconds);
}

/** One replica over a store that may be shared, with a clock to turn. */
function replica(store: MemoryStore) {
  const steps: string[] = [];
  let time = start;
  return {
    steps,
    at(next: Date) {
      time = next;
      return this;
    },
    reconcile: () => {
      const stepped = (kind: RotationStep["kind"], written: string) => steps.push(`${kind} ${written}`);
      return reconcile({ store, issuer, hosts: webhookHosts, now: () => time, stepped });
    },
  };
}

async function stateOf(store: MemoryStore) {
  const [authority, leaf, trusted] = [await store.readAuthority(), await store.readLeaf(), await store.readTrusted()];
  return { authority: authority.value, leaf: leaf.value, trusted: trusted.value };
}

test("a CA and its leaf are what TLS wants: P-256, SHA-256, names, times", async () => {
  const ca = await issuer.authority(start);
  const authority = new X509Certificate(ca.cert);
  const pair = await issuer.leaf(ca, authority.validToDate, webhookHosts, start);
  const leaf = new X509Certificate(pair.cert);
  expect(authority.ca).toBe(true);
  expect(leaf.ca).toBe(false);
  for (const certificate of [authority, leaf]) {
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect(certificate.signatureAlgorithm).toBe("ecdsa-with-SHA256");
  }
  expect(isSignedBy(leaf, authority)).toBe(true);
  expect(isSignedBy(leaf, new X509Certificate((await issuer.authority(start)).cert))).toBe(false);
  expect(leaf.subjectAltName).toBe(webhookHosts.map((host) => `DNS:${host}`).join(", "));
  expect(names(leaf, webhookHosts)).toBe(true);
  expect(names(leaf, ["elsewhere"])).toBe(false);
  expect(authority.validToDate).toEqual(at(authorityDays * dayMs));
  expect(leaf.validToDate).toEqual(at(leafDays * dayMs));
  expect(isUsable(pair, start)).toBe(true);
  expect(isUsable(pair, at(leafDays * dayMs))).toBe(false);
  expect(isUsable({ cert: pair.cert, key: ca.key }, start)).toBe(false);
});

test("a leaf does not outlive its CA", async () => {
  const ca = await issuer.authority(start);
  const ends = new X509Certificate(ca.cert).validToDate;
  const late = at((authorityDays - 61) * dayMs);
  const { cert } = await issuer.leaf(ca, ends, webhookHosts, late);
  expect(new X509Certificate(cert).validToDate).toEqual(ends);
});

test("a TLS client that trusts the CA accepts the leaf by its name", async () => {
  const now = new Date();
  const ca = await issuer.authority(now);
  const leaf = await issuer.leaf(ca, new Date(now.getTime() + dayMs), webhookHosts, now);
  const server = createServer(leaf, (socket) => socket.end("hello")).listen(0);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, ca: ca.cert, servername: "webhook.system.svc" });
  const [data] = (await once(socket, "data")) as [Buffer];
  expect(data.toString()).toBe("hello");
  expect(socket.authorized).toBe(true);
  socket.destroy();
  server.close();
});

test("empty Secrets are filled and the CA is published; a second look changes nothing", async () => {
  const store = new MemoryStore();
  const one = replica(store);
  const first = await one.reconcile();
  expect(one.steps).toEqual(["issue-authority written", "publish written", "issue-leaf written"]);
  const state = await stateOf(store);
  expect(state.trusted).toEqual([[state.authority.cert]]);
  expect(isServable(first.leaf, [state.authority.cert], webhookHosts, start)).toBe(true);
  await one.reconcile();
  expect(one.steps).toHaveLength(3);
});

test("several replicas that start at the same moment end with the same certificates", async () => {
  const store = new MemoryStore();
  const replicas = Array.from({ length: 5 }, () => replica(store));
  const ended = await Promise.all(replicas.map((one) => one.reconcile()));
  const state = await stateOf(store);
  expect(store.conflicts).toBeGreaterThan(0);
  expect(new Set(ended.map(({ leaf }) => leaf.cert))).toEqual(new Set([state.leaf.cert]));
  expect(state.trusted).toEqual([[state.authority.cert]]);
  expect(isServable(state.leaf, state.trusted[0] ?? [], webhookHosts, start)).toBe(true);
  expect(replicas.flatMap(({ steps }) => steps).filter((step) => step === "issue-authority written")).toHaveLength(1);
});

test("two replicas whose clocks differ do not replace each other's certificates", async () => {
  const store = new MemoryStore();
  const ahead = replica(store).at(at(dayMs));
  const behind = replica(store);
  await ahead.reconcile();
  const state = await stateOf(store);
  for (let turn = 0; turn < 3; turn++) {
    await expect(behind.reconcile()).rejects.toThrow(
      "the CA begins at 2026-01-01T23:55:00.000Z, by this clock it is 2026-01-01T00:00:00.000Z: the clock of this node",
    );
    await ahead.reconcile();
  }
  expect(await stateOf(store)).toEqual(state);
  // A leaf alone that is not yet valid, of a CA that is.
  const later = new MemoryStore();
  await replica(later).reconcile();
  const { authority } = await stateOf(later);
  const young = await issuer.leaf(authority, at(90 * dayMs), webhookHosts, at(dayMs));
  await later.writeLeaf(young, (await later.readLeaf()).resourceVersion);
  await expect(replica(later).reconcile()).rejects.toThrow("the certificate begins at");
  await replica(later).at(at(dayMs)).reconcile();
  expect((await later.readLeaf()).value).toEqual(young);
});

test("rotation: the new CA is trusted beside the old, then the leaf follows, then the old one goes", async () => {
  const store = new MemoryStore();
  const one = replica(store);
  await one.reconcile();
  const before = await stateOf(store);
  one.steps.length = 0;

  const renewal = authorityDays * dayMs - authorityRenewalMs + 1;
  await one.at(at(renewal)).reconcile();
  // 150 days have long passed: in a cluster's life the leaf was renewed in between; here it is issued at once, by whoever signs.
  const switching = await stateOf(store);
  expect(one.steps.slice(0, 2)).toEqual(["issue-authority written", "publish written"]);
  expect(switching.trusted).toEqual([[switching.authority.cert, before.authority.cert]]);

  await one.at(at(renewal + pruningMs + dayMs)).reconcile();
  const after = await stateOf(store);
  expect(one.steps.at(-2)).toBe("prune written");
  expect(one.steps.at(-1)).toBe("publish written");
  expect(after.trusted).toEqual([[switching.authority.cert]]);
});

test("while the old CA is good, its leaf is served until every API server knows the new one", async () => {
  const store = new MemoryStore();
  const one = replica(store);
  await one.reconcile();
  // Renewed once, as replicas do 30 days before its end; so it is good when the CA is rotated.
  await one.at(at((leafDays - 20) * dayMs)).reconcile();
  await one.at(at((2 * leafDays - 40) * dayMs)).reconcile();
  const old = await stateOf(store);
  one.steps.length = 0;

  const renewal = authorityDays * dayMs - authorityRenewalMs + 1;
  const served = await one.at(at(renewal)).reconcile();
  expect(one.steps).toEqual(["issue-authority written", "publish written"]);
  expect(served.leaf.cert).toBe(old.leaf.cert);

  const settled = await one.at(at(renewal + settlingMs)).reconcile();
  expect(one.steps.slice(2)).toEqual(["issue-leaf written"]);
  expect(settled.leaf.cert).not.toBe(old.leaf.cert);

  await one.at(at(renewal + settlingMs + pruningMs)).reconcile();
  expect(one.steps.slice(3)).toEqual(["prune written", "publish written"]);
});

test("at every moment of two years the API server trusts what is served", async () => {
  const store = new MemoryStore();
  const replicas = [replica(store), replica(store)];
  let serving: { cert: string; key: string }[] = [];
  const untrusted: string[] = [];
  for (let time = 0; time < 2 * 365 * dayMs; time += dayMs / 2) {
    const now = at(time);
    const index = (time / (dayMs / 2)) % 2;
    const done = await replicas[index]?.at(now).reconcile();
    serving =
      index === 0
        ? [done?.leaf ?? serving[0], serving[1]].filter((pair) => pair !== undefined)
        : [serving[0], done?.leaf].filter((pair) => pair !== undefined);
    const { trusted } = await stateOf(store);
    const bad = serving.filter((leaf) => !isServable(leaf, trusted[0] ?? [], webhookHosts, now));
    if (bad.length > 0) untrusted.push(now.toISOString());
  }
  expect(untrusted).toEqual([]);
  expect(replicas.flatMap(({ steps }) => steps).filter((step) => step === "prune written")).toHaveLength(2);
}, 60_000);

test.each([
  [
    "an expired leaf",
    async (store: MemoryStore) =>
      store.writeLeaf(await leafOf(store, at(-leafDays * dayMs)), (await store.readLeaf()).resourceVersion),
  ],
  [
    "a leaf for other names",
    async (store: MemoryStore) =>
      store.writeLeaf(await leafOf(store, start, ["x"]), (await store.readLeaf()).resourceVersion),
  ],
  [
    "a leaf that nobody knows",
    async (store: MemoryStore) => store.writeLeaf(await strangeLeaf(), (await store.readLeaf()).resourceVersion),
  ],
  [
    "rubbish",
    async (store: MemoryStore) => store.writeLeaf({ cert: "x", key: "y" }, (await store.readLeaf()).resourceVersion),
  ],
])("%s is replaced", async (_, spoil) => {
  const store = new MemoryStore();
  const one = replica(store);
  await one.reconcile();
  await spoil(store);
  one.steps.length = 0;
  await one.reconcile();
  expect(one.steps).toEqual(["issue-leaf written"]);
});

test("a leaf in the place of the CA, and a CA without its key, are replaced", async () => {
  for (const pair of [await strangeLeaf(), { cert: (await issuer.authority(start)).cert, key: "" }]) {
    const store = new MemoryStore();
    await store.writeAuthority({ ...pair, bundle: [pair.cert] }, "1");
    const one = replica(store);
    await one.reconcile();
    expect(one.steps[0]).toBe("issue-authority written");
    expect((await one.reconcile()).leaf.cert).not.toBe("");
  }
});

test("a CA bundle that somebody wiped is published again", async () => {
  const store = new MemoryStore();
  const one = replica(store);
  await one.reconcile();
  await store.writeTrusted([], (await store.readTrusted()).resourceVersion);
  one.steps.length = 0;
  await one.reconcile();
  expect(one.steps).toEqual(["publish written"]);
});

test("a leaf is renewed 30 days before its end", async () => {
  const store = new MemoryStore();
  await replica(store).reconcile();
  const state = await stateOf(store);
  const end = leafDays * dayMs - leafRenewalMs;
  expect(nextStep(state, webhookHosts, at(end))).toEqual({ kind: "done" });
  expect(nextStep(state, webhookHosts, at(end + 1))).toEqual({ kind: "issue-leaf" });
});

test("a bundle is taken apart, and what is no certificate is left out", async () => {
  const [a, b] = [await issuer.authority(start), await issuer.authority(start)];
  const rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  expect(splitBundle(`${a.cert}${rubbish}noise\n${b.cert}`)).toEqual([a.cert, b.cert]);
  expect(splitBundle("")).toEqual([]);
});

async function leafOf(store: MemoryStore, from: Date, hosts: readonly string[] = webhookHosts) {
  const { value } = await store.readAuthority();
  return issuer.leaf(value, at(authorityDays * dayMs), hosts, from);
}

async function strangeLeaf() {
  const other = await issuer.authority(start);
  return issuer.leaf(other, at(authorityDays * dayMs), webhookHosts, start);
}
