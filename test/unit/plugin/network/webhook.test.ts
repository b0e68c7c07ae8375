import { afterEach, describe, expect, test } from "vitest";
import { webhookInstallSteps, webhookUninstallSteps } from "../../../../plugin/network/webhook.ts";
import { runSteps } from "../../../../plugin/steps/run.ts";
import { scriptedCluster, type ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";
import { linesOf } from "./network-cluster.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function installed(): Promise<ScriptedCluster> {
  const cluster = await scriptedCluster();
  opened.push(cluster);
  await runSteps(webhookInstallSteps(cluster.connect(), {}));
  return cluster;
}

describe("webhook uninstall", () => {
  test("the registration goes first, the Pods before their namespace; nothing is left", async () => {
    const cluster = await installed();
    const count = cluster.writes.length;
    await runSteps(webhookUninstallSteps(cluster.connect()));
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
    await runSteps(webhookUninstallSteps(cluster.connect()));
    const count = cluster.writes.length;
    expect(await runSteps(webhookUninstallSteps(cluster.connect()))).toMatchObject({ changed: 0, unchanged: 5 });
    expect(linesOf(cluster, count)).toEqual([]);
  });
});
