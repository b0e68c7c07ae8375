import { afterEach, describe, expect, test } from "vitest";
import { FabricError } from "../../../../../core/error.ts";
import { downSteps, networkNamespaces } from "../../../../../core/network/operations/down.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import type { RunReport } from "../../../../../core/engine/report.ts";
import type { RunOptions } from "../../../../../core/engine/run.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import {
  held,
  namespaceController,
  usualControllers,
  usualControllersBut,
} from "../../scripted-cluster/controllers.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import type { WireObject } from "../../scripted-cluster/stored-objects.ts";
import { clusterWithWebhook, init, linesOf, nameOf, small } from "../network-cluster.ts";
import { typedAs } from "../../../../typed-as.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

/** A cluster with the small network, and one whose namespaces go only when they are let go. */
async function initialized(controllers = usualControllers) {
  const cluster = await clusterWithWebhook({ controllers });
  opened.push(cluster);
  await init(cluster, small);
  return cluster;
}

const { signal } = new AbortController();

const deletedNamespaces = (cluster: ScriptedCluster, since: number): readonly string[] =>
  linesOf(cluster, since)
    .filter((line) => line.startsWith("delete Namespace"))
    .toSorted();

/** One `kubectl fabric down`. */
async function down(cluster: ScriptedCluster, name?: string, options: RunOptions = {}): Promise<RunReport> {
  const client = cluster.connect();
  const { namespaces } = await networkNamespaces(client, name, signal);
  return runToEnd(downSteps(client, namespaces), options);
}

const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): WireObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const ours: Readonly<Record<string, string>> = { "app.kubernetes.io/managed-by": "kubectl-fabric" };
const fabric: Readonly<Record<string, string>> = { ...ours, "kubectl-fabric.io/network": "fabric" };

/** Somebody else gives org1 another label, or takes it off. */
const relabel = (cluster: ScriptedCluster, label: string, value: string | null): unknown =>
  cluster.put({
    ...namespace("org1"),
    metadata: { name: "org1", labels: { [label]: value } as Record<string, string> },
  });

describe("down", () => {
  test("ends the nodes, then deletes the network's namespaces; all else that is in them goes with them", async () => {
    const cluster = await initialized();
    const count = cluster.writes.length;
    expect(await down(cluster)).toMatchObject({ changed: 2, unchanged: 0 });
    const lines = linesOf(cluster, count);
    const own = [
      [
        "delete StatefulSet orderer/orderer0",
        "delete PersistentVolumeClaim orderer/orderer0-ledger",
        "delete Namespace orderer",
      ],
      [
        "delete StatefulSet org1/peer0",
        "delete PersistentVolumeClaim org1/peer0-docker",
        "delete PersistentVolumeClaim org1/peer0-ledger",
        "delete Namespace org1",
      ],
    ];
    expect(own.map((wanted) => lines.filter((line) => wanted.includes(line)))).toEqual(own);
    expect(lines).toHaveLength(7);
    expect(cluster.objects().map(nameOf)).toEqual(["MutatingWebhookConfiguration kubectl-fabric-webhook"]);
  });

  test("waits until they are gone, and says so", async () => {
    const namespaces = held(namespaceController);
    const cluster = await initialized(usualControllersBut(namespaceController, namespaces.controller));
    const told: string[] = [];
    await down(cluster, undefined, {
      onEvent(event) {
        if (event.type !== "progress") return;
        told.push(`${event.step.id}: ${event.text}`);
        if (told.filter((line) => line.endsWith("still there")).length < 2) return;
        expect(cluster.read("Namespace", "org1")).toMatchObject({ status: { phase: "Terminating" } });
        namespaces.letGo();
      },
    });
    expect(told.filter((line) => line.startsWith("orderer/"))).toEqual([
      "orderer/gone: waits for the end of orderer0",
      "orderer/gone: waits for the end of orderer0-ledger",
      "orderer/gone: still there",
    ]);
    expect(cluster.find("Namespace", "org1")).toBeUndefined();
  });

  test("again changes nothing", async () => {
    const cluster = await initialized();
    await down(cluster);
    const count = cluster.writes.length;
    expect(await down(cluster)).toMatchObject({ changed: 0 });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("a dry run deletes nothing", async () => {
    const cluster = await initialized();
    const [before, count] = [cluster.objects(), cluster.writes.length];
    expect(await down(cluster, undefined, { dryRun: true })).toMatchObject({ changed: 0, wouldChange: 2 });
    expect(linesOf(cluster, count)).toEqual([]);
    expect(cluster.objects()).toEqual(before);
  });

  test("what is not the network's by its labels stays: the webhook's namespace, others', another network's", async () => {
    const cluster = await initialized();
    const others = [
      namespace("kubectl-fabric-system", ours),
      namespace("org2"),
      namespace("org3", { "app.kubernetes.io/managed-by": "Helm", "kubectl-fabric.io/network": "fabric" }),
      namespace("org4", { ...ours, "kubectl-fabric.io/network": "trade" }),
    ].map((object) => cluster.put(object));
    await down(cluster, "fabric");
    expect(cluster.objects().filter(({ kind }) => kind === "Namespace")).toEqual(others);
  });

  test("what somebody else keeps in a namespace of the network goes with it", async () => {
    const cluster = await initialized();
    cluster.put({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "theirs", namespace: "org1" } });
    await down(cluster);
    expect(cluster.find("ConfigMap", "theirs", "org1")).toBeUndefined();
  });

  test("a namespace that somebody made anew since the user was asked is not deleted", async () => {
    const cluster = await initialized();
    const client = cluster.connect();
    const { namespaces } = await networkNamespaces(client, undefined, signal);
    cluster.erase("Namespace", "org1");
    const theirs = cluster.put(namespace("org1"));
    const count = cluster.writes.length;
    expect(await runToEnd(downSteps(client, namespaces))).toMatchObject({
      changed: 1,
      unchanged: 1,
    });
    expect(linesOf(cluster, count).filter((line) => line.includes("org1"))).toEqual([]);
    expect(deletedNamespaces(cluster, count)).toEqual(["delete Namespace orderer"]);
    expect(cluster.read("Namespace", "org1")).toEqual(theirs);
  });

  test.each([
    ["app.kubernetes.io/managed-by", null, "none"],
    ["kubectl-fabric.io/network", "trade", "kubectl-fabric.io/network=trade"],
  ])("one that somebody has made theirs since the user was asked, by its label %s, is not deleted", async (...row) => {
    const [label, value, found] = row;
    const cluster = await initialized();
    const client = cluster.connect();
    const { namespaces } = await networkNamespaces(client, undefined, signal);
    relabel(cluster, label, value);
    const count = cluster.writes.length;
    await expect(runToEnd(downSteps(client, namespaces))).rejects.toMatchObject({
      code: "conflict",
      message: `expected Namespace org1 to have the label ${label}=${fabric[label]}, as before, found ${found}`,
      hint: typedAs("it was not deleted; whose it is by now: kubectl get namespace org1 --show-labels"),
    });
    expect(linesOf(cluster, count).filter((line) => line.includes("org1"))).toEqual([]);
    expect(deletedNamespaces(cluster, count)).toEqual(["delete Namespace orderer"]);
  });

  test("nor one that they make theirs while its nodes end", async () => {
    const cluster = await initialized();
    cluster.interfere(({ verb, kind, namespace: place, writes }) => {
      if (verb === "delete" && kind === "StatefulSet" && place === "org1" && writes)
        relabel(cluster, "kubectl-fabric.io/network", null);
      return undefined;
    });
    const count = cluster.writes.length;
    await expect(down(cluster)).rejects.toMatchObject({ code: "conflict" });
    expect(deletedNamespaces(cluster, count)).toEqual(["delete Namespace orderer"]);
  });

  test("one that is made anew while it waits does not keep it waiting", async () => {
    const cluster = await initialized();
    let isMade = false;
    cluster.interfere(({ verb, kind }) => {
      // It has gone, and is there again, before the wait looks for the first time.
      if (verb !== "list" || kind !== "Namespace" || cluster.find("Namespace", "org1") || isMade) return undefined;
      isMade = true;
      cluster.put(namespace("org1"));
      return undefined;
    });
    const client = cluster.connect();
    const { namespaces } = await networkNamespaces(client, undefined, signal);
    await runToEnd(
      downSteps(client, namespaces).filter(({ id }) => id === "org1/gone"),
      { consent: true },
    );
    expect(isMade).toBe(true);
    expect(cluster.find("Namespace", "org1")).toBeDefined();
  });

  test("Ctrl-C ends the wait; the same command goes on, and does not ask twice for what is on its way", async () => {
    const namespaces = held(namespaceController);
    const cluster = await initialized(usualControllersBut(namespaceController, namespaces.controller));
    const count = cluster.writes.length;
    const interrupt = new AbortController();
    const run = down(cluster, undefined, {
      signal: interrupt.signal,
      onEvent({ type }) {
        if (type === "progress" && cluster.read("Namespace", "orderer").metadata.deletionTimestamp !== undefined)
          interrupt.abort(new FabricError("interrupted", "stopped by SIGINT"));
      },
    });
    await expect(run).rejects.toMatchObject({
      code: "interrupted",
      message: "stopped by SIGINT with 2 of 2 steps left, at: namespace orderer is gone",
      hint: "run the same command again: it goes on where it stopped",
    });
    expect(linesOf(cluster, count)).toContain("delete Namespace orderer");
    const again = down(cluster, undefined, { onEvent: ({ type }) => void (type === "progress" && namespaces.letGo()) });
    expect(await again).toMatchObject({ changed: 2 });
    expect(deletedNamespaces(cluster, count)).toEqual(["delete Namespace orderer", "delete Namespace org1"]);
    expect(cluster.objects().filter(({ kind }) => kind === "Namespace")).toEqual([]);
  });

  test("a network of which only half was made is found by its labels", async () => {
    const cluster = await clusterWithWebhook();
    opened.push(cluster);
    cluster.interfere(({ kind, writes }) => (kind === "ConfigMap" && writes ? "forbidden" : undefined));
    await expect(init(cluster, small)).rejects.toThrow(/configmaps/);
    cluster.interfere(undefined);
    expect(cluster.find("Namespace", "org1")).toBeDefined();
    await down(cluster);
    expect(cluster.objects().filter(({ kind }) => kind === "Namespace")).toEqual([]);
  });

  test("of several networks one has to be named, and only that goes", async () => {
    const cluster = await initialized();
    const other = networkFor({
      name: "trade",
      ordererOrganization: "port",
      orderers: 1,
      peerOrganizations: ["sea"],
    });
    await init(cluster, other);
    const count = cluster.writes.length;
    await expect(down(cluster)).rejects.toMatchObject({
      code: "usage",
      message: "expected one network, found fabric, trade",
      hint: typedAs("choose one with --network, for example --network fabric"),
    });
    expect(linesOf(cluster, count)).toEqual([]);
    await down(cluster, "trade");
    expect(deletedNamespaces(cluster, count)).toEqual(["delete Namespace port", "delete Namespace sea"]);
  });

  test("no right to delete one namespace: the other goes, the hint asks about the right", async () => {
    const cluster = await initialized();
    cluster.interfere(({ verb, name }) => (verb === "delete" && name === "org1" ? "forbidden" : undefined));
    await expect(down(cluster)).rejects.toMatchObject({
      code: "forbidden",
      hint: typedAs("kubectl auth can-i delete namespaces"),
    });
    expect(cluster.find("Namespace", "orderer")).toBeUndefined();
    expect(cluster.find("Secret", "certificate-authorities", "org1")).toBeDefined();
    expect(cluster.find("StatefulSet", "peer0", "org1")).toBeDefined();
  });

  test("no right to end the nodes by themselves: the namespaces' own end does it", async () => {
    const cluster = await initialized();
    cluster.interfere(({ verb, kind }) => (verb === "delete" && kind !== "Namespace" ? "forbidden" : undefined));
    const count = cluster.writes.length;
    expect(await down(cluster)).toMatchObject({ changed: 2 });
    expect(linesOf(cluster, count).toSorted()).toEqual(["delete Namespace orderer", "delete Namespace org1"]);
    expect(cluster.find("StatefulSet", "peer0", "org1")).toBeUndefined();
  });
});
