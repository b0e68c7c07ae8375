import { afterEach, describe, expect, test } from "vitest";
import { get, patch } from "../../../../core/kubernetes/objects.ts";
import {
  hasPolicy,
  installedObjects,
  installedWebhook,
  webhookInstallSteps,
  webhookUninstallSteps,
  type WebhookRequest,
} from "../../../../core/installation/webhook.ts";
import { runToEnd } from "../../../run-to-end.ts";
import { scriptedCluster, type ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import { linesOf } from "../network/network-cluster.ts";
import { typedAs } from "../../../typed-as.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function installed(request: WebhookRequest = {}): Promise<ScriptedCluster> {
  const cluster = await scriptedCluster();
  opened.push(cluster);
  await runToEnd(webhookInstallSteps(cluster.connect(), request));
  return cluster;
}

const { signal } = new AbortController();
async function uninstall(cluster: ScriptedCluster) {
  const connected = cluster.connect();
  return runToEnd(webhookUninstallSteps(connected, await installedObjects(connected, signal)));
}

describe("webhook install --policy", () => {
  test("applies the policies before their bindings, and is remembered", async () => {
    const cluster = await installed({ policy: true });
    const kinds = linesOf(cluster, 0).filter((line) => line.includes("ValidatingAdmissionPolicy"));
    expect(kinds).toEqual([
      "apply ValidatingAdmissionPolicy kubectl-fabric-pods",
      "apply ValidatingAdmissionPolicy kubectl-fabric-webhook-registration",
      "create ValidatingAdmissionPolicyBinding kubectl-fabric-pods",
      "create ValidatingAdmissionPolicyBinding kubectl-fabric-webhook-registration",
    ]);
    expect(await hasPolicy(cluster.connect(), signal)).toBe(true);
    expect(await installedWebhook(cluster.connect(), signal)).toMatchObject({ policy: true });
    expect(await hasPolicy((await installed()).connect(), signal)).toBe(false);
  });

  test("leaves the operator's lists, and whether it denies; and goes with the webhook", async () => {
    const cluster = await installed({ policy: true });
    const binding = { kind: "ValidatingAdmissionPolicyBinding", name: "kubectl-fabric-pods" } as const;
    await patch(cluster.connect(), binding, { type: "merge", patch: { spec: { validationActions: ["Warn"] } } });
    const lists = { kind: "ConfigMap", namespace: "kubectl-fabric-system", name: "kubectl-fabric-policy" } as const;
    await patch(cluster.connect(), lists, { type: "merge", patch: { data: { peerImages: "mine\n" } } });
    await runToEnd(webhookInstallSteps(cluster.connect(), { policy: true }));
    expect(await get(cluster.connect(), lists, signal)).toMatchObject({ data: { peerImages: "mine\n" } });
    expect(await get(cluster.connect(), binding, signal)).toMatchObject({ spec: { validationActions: ["Warn"] } });
    await uninstall(cluster);
    expect(cluster.objects()).toEqual([]);
  });
});

describe("webhook uninstall", () => {
  test("the registration goes first, the Pods before their namespace; nothing is left", async () => {
    const cluster = await installed();
    const count = cluster.writes.length;
    await uninstall(cluster);
    const lines = linesOf(cluster, count);
    expect(lines[0]).toBe("delete MutatingWebhookConfiguration kubectl-fabric-webhook");
    expect(lines.slice(1).toSorted()).toEqual([
      "delete ClusterRole kubectl-fabric-webhook",
      "delete ClusterRoleBinding kubectl-fabric-webhook",
      "delete Deployment kubectl-fabric-system/kubectl-fabric-webhook",
      "delete Namespace kubectl-fabric-system",
    ]);
    const placeOf = (kind: string) => lines.findIndex((line) => line.startsWith(`delete ${kind} `));
    expect(placeOf("Namespace")).toBeGreaterThan(placeOf("Deployment"));
    expect(cluster.objects()).toEqual([]);
  });

  test("again changes nothing", async () => {
    const cluster = await installed();
    await uninstall(cluster);
    const count = cluster.writes.length;
    expect(await uninstall(cluster)).toMatchObject({ changed: 0, unchanged: 0 });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test.each([
    ["Namespace", "kubectl-fabric-system", "v1"],
    ["ClusterRole", "kubectl-fabric-webhook", "rbac.authorization.k8s.io/v1"],
    ["ClusterRoleBinding", "kubectl-fabric-webhook", "rbac.authorization.k8s.io/v1"],
  ])("a %s of that name that somebody else has made is named, and nothing goes", async (kind, name, apiVersion) => {
    const cluster = await installed();
    cluster.erase(kind, name);
    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    cluster.put({ apiVersion, kind, metadata: { name, labels } });
    const count = cluster.writes.length;
    await expect(uninstall(cluster)).rejects.toMatchObject({
      code: "conflict",
      message: `expected what kubectl fabric webhook install has made, found others' ${kind} ${name}`,
      hint: expect.stringContaining("nothing was changed"),
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("is refused while namespaces ask for injection, which are named", async () => {
    const cluster = await installed();
    const labels = { "kubectl-fabric.io/injection": "enabled" };
    for (const name of ["airline", "hotel"])
      cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
    const count = cluster.writes.length;
    await expect(uninstall(cluster)).rejects.toMatchObject({
      code: "conflict",
      message: "expected no namespace that asks for injection, found airline, hotel",
      hint: typedAs(
        "kubectl fabric down deletes a network with its ledgers and keys; where no peer needs Docker any more: " +
          "kubectl label namespace airline hotel kubectl-fabric.io/injection-",
      ),
    });
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("what was made anew under a name since it was found stays", async () => {
    const cluster = await installed();
    const connected = cluster.connect();
    const found = await installedObjects(connected, signal);
    cluster.erase("ClusterRole", "kubectl-fabric-webhook");
    const metadata = { name: "kubectl-fabric-webhook" };
    const theirs = cluster.put({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata });
    await runToEnd(webhookUninstallSteps(connected, found));
    expect(cluster.objects()).toEqual([theirs]);
  });

  test.each([
    ["ClusterRole", "kubectl-fabric-webhook", "rbac.authorization.k8s.io/v1"],
    ["Namespace", "kubectl-fabric-system", "v1"],
  ])("a %s that somebody has made theirs since it was found stays", async (kind, name, apiVersion) => {
    const cluster = await installed();
    const connected = cluster.connect();
    const found = await installedObjects(connected, signal);
    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    cluster.put({ apiVersion, kind, metadata: { name, labels } });
    await expect(runToEnd(webhookUninstallSteps(connected, found))).rejects.toMatchObject({
      code: "conflict",
      message: `expected ${kind} ${name} to have the label app.kubernetes.io/managed-by=kubectl-fabric, as before, found app.kubernetes.io/managed-by=Helm`,
    });
    expect(cluster.find(kind, name)).toBeDefined();
  });
});
