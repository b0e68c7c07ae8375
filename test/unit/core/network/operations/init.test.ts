import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import type { V1StatefulSet } from "../../../../../core/kubernetes/client-node.ts";
import { remove } from "../../../../../core/kubernetes/objects.ts";
import { managedBy } from "../../../../../core/kubernetes/ownership.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { nodesOf } from "../../../../../core/network/resources/nodes.ts";
import { organizations } from "../../../../../core/network/resources/spec.ts";
import type { RunReport } from "../../../../../core/engine/report.ts";
import { ApiRefusal } from "../../scripted-cluster/api-refusal.ts";
import {
  held,
  namespaceController,
  statefulSetController,
  usualControllersBut,
} from "../../scripted-cluster/controllers.ts";
import { scriptedCluster, type ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import { clusterWithWebhook, comparable, entry, init, linesOf, nameOf, small, today } from "../network-cluster.ts";
import { typedAs } from "../../../../typed-as.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
async function opening(cluster: Promise<ScriptedCluster>): Promise<ScriptedCluster> {
  opened.push(await cluster);
  return cluster;
}
const fresh = () => opening(clusterWithWebhook());

const wouldChange = ({ outcomes }: RunReport): readonly string[] =>
  [...outcomes].flatMap(([id, { result }]) => (result === "would-change" ? [id] : [])).toSorted();

function safeguardLines(namespace: string): readonly string[] {
  return ["NetworkPolicy", "PodDisruptionBudget"].map((kind) => `apply ${kind} ${namespace}/fabric-nodes`);
}

/** What one organization's part comes to, in order; what stands beside its nodes is made beside them. */
const ordererLines = [
  "apply Namespace orderer",
  "apply ConfigMap orderer/fabric-network",
  "create Secret orderer/certificate-authorities",
  "apply ConfigMap orderer/msp",
  "create Secret orderer/admin-identity",
  "create Secret orderer/orderer0-identity",
  "apply Service orderer/orderer0",
  "apply PersistentVolumeClaim orderer/orderer0-ledger",
  "apply StatefulSet orderer/orderer0",
  ...safeguardLines("orderer"),
];
const peerLines = [
  "apply Namespace org1",
  "apply ConfigMap org1/fabric-network",
  "create Secret org1/certificate-authorities",
  "apply ConfigMap org1/msp",
  "create Secret org1/admin-identity",
  "create Secret org1/peer0-identity",
  "apply Service org1/peer0",
  "apply PersistentVolumeClaim org1/peer0-ledger",
  "apply PersistentVolumeClaim org1/peer0-docker",
  "apply StatefulSet org1/peer0",
  ...safeguardLines("org1"),
];

describe("init", () => {
  test("from nothing: each organization's namespace, then its keys, then what uses them, and nothing else", async () => {
    const cluster = await fresh();
    const report = await init(cluster, small);
    const lines = linesOf(cluster);
    expect(lines.toSorted()).toEqual([...ordererLines, ...peerLines].toSorted());
    // Of one organization what must come before what; its authorities' public half and its identities are made side by side.
    const position = (line: string) => lines.indexOf(line);
    for (const own of [ordererLines, peerLines]) {
      const [namespace = "", definition = "", authorities = "", msp = "", admin = "", identity = "", ...rest] = own;
      const workload = rest.filter((line) => !line.endsWith("/fabric-nodes"));
      const chain = [namespace, definition, authorities, identity, ...workload];
      expect(chain.map(position)).toEqual(chain.map(position).toSorted((left, right) => left - right));
      for (const line of [msp, admin]) expect(position(line)).toBeGreaterThan(position(authorities));
    }
    for (const id of ["orderer/orderer0", "org1/peer0"]) {
      expect(report.outcomes.get(id)).toMatchObject({ result: "changed" });
      expect(report.outcomes.get(`${id}/ready`)).toBeDefined();
    }
  });

  test("all is labelled as ours and the network's, and knows its organization", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    const made = cluster.writes.map(({ object }) => object);
    expect(made.length).toBe(ordererLines.length + peerLines.length);
    for (const object of made) {
      expect({ of: nameOf(object), ...object.metadata.labels }).toMatchObject({
        of: nameOf(object),
        "app.kubernetes.io/managed-by": "kubectl-fabric",
        "kubectl-fabric.io/network": "fabric",
        "kubectl-fabric.io/org": object.metadata.namespace ?? object.metadata.name,
      });
    }
  });

  test("waits for each Pod, and says what it waits for", async () => {
    const pods = held(statefulSetController);
    const cluster = await opening(
      clusterWithWebhook({ controllers: usualControllersBut(statefulSetController, pods.controller) }),
    );
    const told = new Map<string, string>();
    const report = await init(cluster, small, {
      onEvent(event) {
        if (event.type !== "progress") return;
        told.set(event.step.id, event.text);
        if (told.size === 2) pods.letGo();
      },
    });
    expect(Object.fromEntries(told)).toEqual({
      "orderer/orderer0/ready": "waiting for its controller",
      "org1/peer0/ready": "waiting for its controller",
    });
    expect(report).toMatchObject({ changed: 16, unchanged: 3 });
    expect(cluster.read("Pod", "peer0-0", "org1")).toMatchObject({ status: { phase: "Running" } });
  });

  test("again changes nothing: not a single write", async () => {
    const cluster = await fresh();
    const network = networkFor({});
    await init(cluster, network);
    const before = cluster.objects();
    const count = cluster.writes.length;
    const report = await init(cluster, network);
    expect(linesOf(cluster, count)).toEqual([]);
    expect(report).toMatchObject({ changed: 0, unchanged: report.outcomes.size });
    expect(cluster.objects()).toEqual(before);
  });

  test("more peers: only theirs is new, and every namespace learns of them", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    const count = cluster.writes.length;
    await init(cluster, networkFor({ peers: 2 }, small));
    expect(linesOf(cluster, count).toSorted()).toEqual(
      [
        ...["orderer", "org1"].flatMap((name) => [`apply Namespace ${name}`, `apply ConfigMap ${name}/fabric-network`]),
        ...peerLines.filter((line) => line.includes("peer0")).map((line) => line.replaceAll("peer0", "peer1")),
      ].toSorted(),
    );
    expect(entry(cluster.read("ConfigMap", "fabric-network", "orderer"), "network.yaml")).toContain("peers: 2");
  });

  test("a dry run writes nothing, and names what would be done", async () => {
    const cluster = await fresh();
    const report = await init(cluster, small, { dryRun: true });
    expect(linesOf(cluster)).toEqual([]);
    expect(cluster.objects().map(nameOf)).toEqual(["MutatingWebhookConfiguration kubectl-fabric-webhook"]);
    expect(report).toMatchObject({ changed: 0, unchanged: 3, wouldChange: report.outcomes.size - 3 });
    expect(report.outcomes.get("org1/namespace")).toEqual({
      result: "would-change",
      detail: "Namespace org1, ConfigMap org1/fabric-network",
    });
  });

  test("a dry run of a change in what is there names the objects that differ, and leaves them", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    const before = cluster.objects();
    const other = networkFor({ peerImage: "example.com/peer:1" }, small);
    const report = await init(cluster, other, { dryRun: true });
    expect(report.outcomes.get("org1/namespace")).toMatchObject({ detail: "ConfigMap org1/fabric-network" });
    expect(cluster.objects()).toEqual(before);
  });

  test("a dry run of more nodes looks at those that are there, and names only what is new", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    const more = networkFor({ orderers: 2 }, small);
    const dry = await init(cluster, more, { dryRun: true });
    const added = ["orderer/namespace", "org1/namespace", "orderer/identity/orderer1", "orderer/orderer1"];
    expect(wouldChange(dry)).toEqual([...added, "orderer/orderer1/ready"].toSorted());
    expect(dry.outcomes.get("orderer/authorities")).toEqual({ result: "unchanged" });
    const real = await init(cluster, more);
    expect(real.changed + real.unchanged).toBe(dry.wouldChange + dry.unchanged);
    for (const id of added) expect(real.outcomes.get(id)).toMatchObject({ result: "changed" });
  });

  test("a dry run does not look into a namespace that is on its way out: all in it is made anew", async () => {
    const namespaces = held(namespaceController);
    const cluster = await opening(
      clusterWithWebhook({ controllers: usualControllersBut(namespaceController, namespaces.controller) }),
    );
    await init(cluster, small);
    await remove(cluster.connect(), { kind: "Namespace", name: "org1" });
    const dry = await init(cluster, small, { dryRun: true });
    const ofOrg1 = [...dry.outcomes.keys()].filter((id) => id.startsWith("org1/"));
    expect(wouldChange(dry)).toEqual(ofOrg1.toSorted());
  });

  test("without the webhook it says so before anything is written", async () => {
    const cluster = await opening(scriptedCluster());
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "not-ready",
      message: "the webhook is not installed: peers would start without Docker",
      hint: typedAs("kubectl fabric webhook install"),
    });
    expect(linesOf(cluster)).toEqual([]);
  });

  test("who may not look at the webhook goes on without", async () => {
    const cluster = await fresh();
    cluster.interfere(({ resource }) => (resource === "mutatingwebhookconfigurations" ? "forbidden" : undefined));
    const report = await init(cluster, small);
    expect(report.outcomes.get("webhook")).toEqual({ result: "unchanged", detail: "not allowed to look" });
  });
});

describe("init that was killed", () => {
  const total = ordererLines.length + peerLines.length;
  const every = Array.from({ length: total }, (_, index) => index + 1);
  let whole: readonly object[];

  beforeAll(async () => {
    const cluster = await clusterWithWebhook();
    await init(cluster, small);
    whole = comparable(cluster.objects());
    await cluster.close();
  });

  /** The process ends at its n-th write; "unanswered": the write was done, but nobody heard of it. */
  async function killed(cluster: ScriptedCluster, nth: number, fate: "lost" | "unanswered"): Promise<void> {
    const client = cluster.connect();
    let count = 0;
    cluster.interfere(({ writes }) => {
      if (count >= nth) return "lost";
      if (!writes || ++count < nth) return undefined;
      client.close();
      return fate;
    });
    await expect(init(cluster, small, { client })).rejects.toThrow(/./);
    cluster.interfere(undefined);
    expect(count).toBe(nth);
  }

  test.each(every.flatMap((nth) => [[nth, "lost"] as const, [nth, "unanswered"] as const]))(
    "at write %i, which was %s: the same command goes on to the same end, and no key is made twice",
    async (nth, fate) => {
      const cluster = await fresh();
      await killed(cluster, nth, fate);
      const keys = cluster.objects().filter(({ kind }) => kind === "Secret");
      await init(cluster, small);
      expect(comparable(cluster.objects())).toEqual(whole);
      for (const secret of keys) {
        expect(cluster.read("Secret", secret.metadata.name, secret.metadata.namespace)).toEqual(secret);
      }
      const created = linesOf(cluster).filter((line) => line.startsWith("create Secret"));
      expect(created.toSorted()).toEqual([...new Set(created)].toSorted());
      const count = cluster.writes.length;
      expect(await init(cluster, small)).toMatchObject({ changed: 0 });
      expect(linesOf(cluster, count)).toEqual([]);
    },
  );
});

describe("what stands in init's way", () => {
  test("a network policy of somebody else: ours would open what it closes, and is not made", async () => {
    const cluster = await fresh();
    cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1", labels: managedBy } });
    cluster.put({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "closed", namespace: "org1" },
      spec: { podSelector: {}, policyTypes: ["Ingress"] },
    });
    await init(cluster, small);
    const safeguards = linesOf(cluster).filter((line) => line.endsWith("/fabric-nodes"));
    expect(safeguards.toSorted()).toEqual([
      "apply NetworkPolicy orderer/fabric-nodes",
      "apply PodDisruptionBudget orderer/fabric-nodes",
      "apply PodDisruptionBudget org1/fabric-nodes",
    ]);
    const { outcomes } = await init(cluster, small);
    expect(outcomes.get("org1/safeguards")).toEqual({
      result: "unchanged",
      detail: "who may connect is left to NetworkPolicy closed",
    });
  });

  const foreign = { "app.kubernetes.io/managed-by": "Helm" };

  test("a namespace of somebody else: nothing is written into it, the other organization goes on", async () => {
    const cluster = await fresh();
    const theirs = cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1", labels: foreign } });
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message: "expected Namespace org1 not to exist or to be ours, found one managed by Helm",
      hint: typedAs(
        expect.stringMatching(/^choose other organizations with --peer-orgs and --orderer-org, or ask its owner/),
      ),
    });
    expect(cluster.objects("org1")).toEqual([theirs]);
    expect(linesOf(cluster).toSorted()).toEqual(ordererLines.toSorted());
  });

  test("a claim of somebody else, whose volume may hold a ledger: no deletion is advised", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    cluster.erase("PersistentVolumeClaim", "peer0-ledger", "org1");
    const metadata = { name: "peer0-ledger", namespace: "org1" };
    const theirs = cluster.put({ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, spec: {} });
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message:
        "expected PersistentVolumeClaim org1/peer0-ledger not to exist or to be ours, found one made by somebody else",
      hint: typedAs(
        expect.stringMatching(/^choose other organizations with --peer-orgs and --orderer-org, or ask its owner/),
      ),
    });
    expect(cluster.read("PersistentVolumeClaim", "peer0-ledger", "org1")).toEqual(theirs);
  });

  test("a namespace of another network is left to it", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    const [before, count] = [cluster.objects(), cluster.writes.length];
    const other = networkFor({ name: "trade", ordererOrganization: "orderer2", peerOrganizations: ["org1"] });
    await expect(init(cluster, other)).rejects.toMatchObject({
      code: "conflict",
      message: "expected Namespace org1 to be of network trade, found one of network fabric",
      hint: typedAs(expect.stringContaining("--peer-orgs")),
    });
    expect(linesOf(cluster, count).filter((line) => line.includes("org1"))).toEqual([]);
    expect(cluster.objects("org1")).toEqual(
      before.filter(({ metadata }) => metadata.namespace === "org1" || metadata.name === "org1"),
    );
  });

  test.each([
    ["Service", "v1", "peer0"],
    ["StatefulSet", "apps/v1", "peer0"],
    ["ConfigMap", "v1", "msp"],
    ["ConfigMap", "v1", "fabric-network"],
  ])("a foreign %s (%s) %s is not overwritten", async (kind, apiVersion, name) => {
    const cluster = await fresh();
    await init(cluster, small);
    cluster.erase(kind, name, "org1");
    const theirs = cluster.put({ apiVersion, kind, metadata: { name, namespace: "org1" }, spec: { template: {} } });
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message: `expected ${kind} org1/${name} not to exist or to be ours, found one made by somebody else`,
      hint: typedAs(
        "ask its owner: " +
          `kubectl get ${kind.toLowerCase()} ${name} -n org1 -o yaml --show-managed-fields tells who wrote it`,
      ),
    });
    expect(cluster.read(kind, name, "org1")).toMatchObject({
      metadata: { uid: theirs.metadata.uid },
      spec: theirs["spec"],
    });
    expect(cluster.read(kind, name, "org1").metadata.labels).toBeUndefined();
  });

  test("a field that somebody changed by hand is named with who has it now, and kept", async () => {
    const cluster = await fresh();
    await init(cluster, small);
    const set = cluster.read("StatefulSet", "peer0", "org1") as unknown as V1StatefulSet;
    const scaled = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "peer0", namespace: "org1" } };
    expect(set.spec?.replicas).toBe(1);
    cluster.put({ ...scaled, spec: { replicas: 0 } }, "kubectl-edit");
    const count = cluster.writes.length;
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "conflict",
      message: "StatefulSet org1/peer0: .spec.replicas belongs to kubectl-edit",
      hint: typedAs(expect.stringContaining("undo what kubectl-edit set")),
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("a 409 without owners is told as the server words it", async () => {
    const cluster = await fresh();
    const busy = new ApiRefusal(
      409,
      "Conflict",
      'Operation cannot be fulfilled on services "peer0": it has been modified',
    );
    cluster.interfere(({ kind, writes }) => (kind === "Service" && writes ? { refusal: busy } : undefined));
    await expect(init(cluster, small)).rejects.toMatchObject({
      code: "steps-failed",
      message: expect.stringContaining('org1: peer peer0: Operation cannot be fulfilled on services "peer0"'),
    });
  });

  test.each([
    ["namespaces", "apply", "kubectl auth can-i patch namespaces"],
    ["secrets", "create", "kubectl auth can-i create secrets -n org1"],
    ["statefulsets", "apply", "kubectl auth can-i patch statefulsets.apps -n org1"],
    ["configmaps", "get", "kubectl auth can-i get configmaps -n org1"],
  ])(
    "no right to %s (%s): the other organization is made, the hint asks about the right",
    async (resource, verb, hint) => {
      const cluster = await fresh();
      cluster.interfere((attempt) => {
        const inOrg1 = attempt.namespace === "org1" || attempt.name === "org1";
        return inOrg1 && attempt.resource === resource && attempt.verb === verb ? "forbidden" : undefined;
      });
      const failure: unknown = await init(cluster, small).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(FabricError);
      expect(String(failure)).toContain(`User "ann" cannot`);
      expect(failure).toMatchObject({ hint: typedAs(hint) });
      expect(linesOf(cluster)).toEqual(expect.arrayContaining(ordererLines));
      expect(linesOf(cluster)).not.toContain("apply StatefulSet org1/peer0");
      cluster.interfere(undefined);
      await init(cluster, small);
      expect(linesOf(cluster).toSorted()).toEqual([...ordererLines, ...peerLines].toSorted());
    },
  );

  test("a namespace that is still on its way out is waited for, and made anew", async () => {
    const namespaces = held(namespaceController);
    const cluster = await opening(
      clusterWithWebhook({ controllers: usualControllersBut(namespaceController, namespaces.controller) }),
    );
    await init(cluster, small);
    const before = cluster.read("Namespace", "org1");
    await cluster
      .connect()
      .call({ method: "DELETE", path: "/api/v1/namespaces/org1", body: { kind: "DeleteOptions" } });
    const count = cluster.writes.length;
    const told: string[] = [];
    await init(cluster, small, {
      onEvent(event) {
        if (event.type !== "progress" || event.step.id !== "org1/namespace") return;
        told.push(event.text);
        namespaces.letGo();
      },
    });
    expect(told).toEqual(["still there"]);
    expect(linesOf(cluster, count).toSorted()).toEqual(peerLines.toSorted());
    expect(cluster.read("Namespace", "org1").metadata.uid).not.toBe(before.metadata.uid);
  });

  test("watches that are cut while Pods start do not end the wait", async () => {
    const pods = held(statefulSetController);
    const cluster = await opening(
      clusterWithWebhook({ controllers: usualControllersBut(statefulSetController, pods.controller) }),
    );
    let watches = 0;
    cluster.interfere(({ verb, kind }) => {
      if (verb !== "watch" || kind !== "StatefulSet") return undefined;
      if (++watches <= 3) return "unanswered";
      pods.letGo();
      return undefined;
    });
    await init(cluster, small);
    expect(watches).toBeGreaterThan(3);
    expect(linesOf(cluster).toSorted()).toEqual([...ordererLines, ...peerLines].toSorted());
  });

  test("Ctrl-C ends it with what is left, and the same command goes on", async () => {
    const cluster = await fresh();
    const interrupt = new AbortController();
    cluster.interfere(({ kind, verb, namespace }) => {
      if (kind === "StatefulSet" && verb === "apply" && namespace === "org1") {
        interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
      }
      return undefined;
    });
    await expect(init(cluster, small, { signal: interrupt.signal })).rejects.toMatchObject({
      code: "interrupted",
      message: expect.stringMatching(/^stopped by SIGINT with \d+ of 19 steps left, at: /),
      hint: "run the same command again: it goes on where it stopped",
    });
    cluster.interfere(undefined);
    await init(cluster, small);
    const count = cluster.writes.length;
    expect(await init(cluster, small)).toMatchObject({ changed: 0 });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("every node has its Pod, whatever the sizes", async () => {
    const cluster = await fresh();
    const network = networkFor({ orderers: 2, peerOrganizations: ["air", "sea"], peers: 2 });
    await init(cluster, network, { now: today });
    const pods = cluster.objects().filter(({ kind }) => kind === "Pod");
    expect(pods.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual(
      organizations(network)
        .flatMap((organization) => nodesOf(organization).map(({ name }) => `${organization.namespace}/${name}-0`))
        .toSorted(),
    );
  });
});
