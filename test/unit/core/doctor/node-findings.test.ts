import { afterEach, beforeEach, expect, test } from "vitest";
import { examine } from "../../../../core/doctor/examine.ts";
import { nodeFindings } from "../../../../core/doctor/node-findings.ts";
import { clusterWithWebhook, init, small } from "../network/network-cluster.ts";
import type { ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import { typedAs } from "../../../typed-as.ts";

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await clusterWithWebhook();
  await init(cluster, small);
});
afterEach(() => cluster.close());

const { signal } = new AbortController();
const findings = (namespaces?: readonly string[]) => nodeFindings(cluster.connect(), small, namespaces, signal);
const well = (text: string) => ({ level: "ok", about: "network fabric", text });

/** The peer's Pod is as it is told to be, and not ready. */
function peerPod(status: object): void {
  cluster.put({ ...cluster.read("Pod", "peer0-0", "org1"), status });
}

test("nodes that run are counted; only those of the namespaces that are asked for", async () => {
  expect(await findings()).toEqual([well("2 of 2 nodes are ready")]);
  expect(await findings(["org1"])).toEqual([well("1 of 1 nodes are ready")]);
  expect(await findings(["elsewhere"])).toEqual([]);
});

test("a claim that has lost its volume", async () => {
  cluster.put({
    ...cluster.read("PersistentVolumeClaim", "peer0-ledger", "org1"),
    status: { phase: "Lost" },
  });
  const message = "persistentvolumeclaim bound to non-existent persistentvolume";
  peerPod({ phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message }] });
  expect(await findings()).toEqual([
    well("1 of 2 nodes are ready"),
    {
      level: "problem",
      about: "network fabric",
      text: expect.stringMatching(/^peer0\.org1 is not ready: .*claim peer0-ledger is Lost/),
      hint: typedAs("kubectl get storageclass,pvc -n org1"),
    },
  ]);
});

test("a claim that is not there", async () => {
  const message = '0/1 nodes are available: persistentvolumeclaim "peer0-docker" not found. not found';
  peerPod({ phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message }] });
  const [, problem] = await findings();
  expect(problem).toMatchObject({
    text: expect.stringMatching(/persistentvolumeclaim "peer0-docker" not found$/),
    hint: typedAs("kubectl fabric init makes what is missing"),
  });
});

test("a peer that was ejected", async () => {
  const set = cluster.read("StatefulSet", "peer0", "org1");
  const spec = set["spec"] as { readonly template: { readonly metadata: object } };
  const metadata = { ...spec.template.metadata, annotations: { "kubectl-fabric.io/inject": null } };
  cluster.put({ ...set, spec: { ...spec, template: { ...spec.template, metadata } } });
  const state = { waiting: { reason: "CrashLoopBackOff" } };
  const container = { name: "peer", image: "x", restartCount: 7, state, lastState: { terminated: { exitCode: 1 } } };
  peerPod({ phase: "Running", conditions: [{ type: "Ready", status: "False" }], containerStatuses: [container] });
  const [, problem] = await findings();
  expect(problem).toMatchObject({
    level: "problem",
    text:
      "peer0.org1 is not ready: it was ejected, and has no daemon any more: " +
      "Pod peer0-0: container peer ended 7 times, last with exit code 1",
    hint: typedAs("kubectl fabric init gives it back"),
  });
});

test("a container that ends again and again", async () => {
  const state = { waiting: { reason: "CrashLoopBackOff" } };
  const lastState = { terminated: { exitCode: 2, reason: "Error" } };
  const conditions = [{ type: "Ready", status: "False" }];
  const container = { name: "peer", image: "x", restartCount: 7, state, lastState };
  peerPod({ phase: "Running", conditions, containerStatuses: [container] });
  const [, problem] = await findings();
  expect(problem).toMatchObject({
    level: "problem",
    text: "peer0.org1 is not ready: Pod peer0-0: container peer ended 7 times, last with exit code 2",
    hint: typedAs("kubectl logs -n org1 peer0-0 -c peer --previous"),
  });
});

test("a node that somebody scaled to 0", async () => {
  const set = { apiVersion: "apps/v1", kind: "StatefulSet", metadata: { name: "peer0", namespace: "org1" } };
  cluster.put({ ...set, spec: { replicas: 0 } }, "kubectl-scale");
  cluster.erase("Pod", "peer0-0", "org1");
  const [, problem] = await findings();
  expect(problem).toMatchObject({
    level: "problem",
    text: "peer0.org1 is scaled to 0",
    hint: typedAs("kubectl -n org1 scale statefulset peer0 --replicas=1"),
  });
});

test("a node of which nothing is left", async () => {
  cluster.erase("StatefulSet", "peer0", "org1");
  cluster.erase("Pod", "peer0-0", "org1");
  const [, problem] = await findings();
  expect(problem).toMatchObject({ level: "problem", text: "peer0.org1 is not there" });
});

test("what may not be looked at is not known, and the others are told of", async () => {
  cluster.interfere(({ kind, namespace }) => (kind === "Pod" && namespace === "org1" ? "forbidden" : undefined));
  const [, peer] = await findings();
  expect(peer).toMatchObject({ level: "unknown", text: expect.stringMatching(/^peer0\.org1: /) });
});

test("a network whose copies differ is left out, with what to do about it", async () => {
  const map = cluster.read("ConfigMap", "fabric-network", "org1");
  const [[key, text] = ["", ""]] = Object.entries(map["data"] as Readonly<Record<string, string>>);
  cluster.put({ ...map, data: { [key]: text.replace('fabricVersion: "3.1"', 'fabricVersion: "3.0"') } });
  const { findings: all } = await examine(cluster.connect(), ["org1"], undefined, signal);
  expect(all.filter(({ about }) => about === "networks")).toEqual([
    {
      level: "warning",
      about: "networks",
      text: expect.stringMatching(/^network fabric is left out: expected one definition of network fabric, found two/),
      hint: typedAs(
        expect.stringMatching(/^after an init that was stopped, type it again; else kubectl delete configmap/),
      ),
    },
  ]);
});
