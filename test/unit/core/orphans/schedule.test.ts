import { afterEach, expect, test } from "vitest";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { scheduleSteps, unscheduleSteps } from "../../../../core/orphans/schedule.ts";
import { runToEnd } from "../../../run-to-end.ts";
import { linesOf } from "../network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../scripted-cluster/scripted-cluster.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const network = networkFor({ peerOrganizations: ["org1"] });
const organizations = network.spec.peerOrganizations;

async function scheduled(): Promise<ScriptedCluster> {
  const cluster = await scriptedCluster();
  opened.push(cluster);
  cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "org1" } });
  const schedule = { cron: "17 3 * * *", olderThan: 60, sources: ["dind"], image: "plugin" } as const;
  await runToEnd(scheduleSteps(cluster.connect(), network, organizations, schedule));
  return cluster;
}

const unschedule = (cluster: ScriptedCluster) => runToEnd(unscheduleSteps(cluster.connect(), organizations));

test("no schedule and none of its rights are left", async () => {
  const cluster = await scheduled();
  const count = cluster.writes.length;
  await unschedule(cluster);
  expect(linesOf(cluster, count)).toEqual([
    "delete CronJob org1/fabric-cleanup",
    "delete RoleBinding org1/fabric-cleanup",
    "delete Role org1/fabric-cleanup",
    "delete ServiceAccount org1/fabric-cleanup",
  ]);
  expect(await unschedule(cluster)).toMatchObject({ changed: 0 });
});

test("what was made anew under its name by somebody else stays, also while the others go", async () => {
  const cluster = await scheduled();
  let theirs: unknown;
  cluster.interfere(({ verb, kind, writes }) => {
    if (verb !== "delete" || kind !== "CronJob" || !writes) return undefined;
    cluster.erase("ServiceAccount", "fabric-cleanup", "org1");
    const metadata = { name: "fabric-cleanup", namespace: "org1" };
    theirs = cluster.put({ apiVersion: "v1", kind: "ServiceAccount", metadata });
    return undefined;
  });
  await unschedule(cluster);
  expect(cluster.find("ServiceAccount", "fabric-cleanup", "org1")).toEqual(theirs);
});

test("another that has its labels and not its name is not its", async () => {
  const cluster = await scheduled();
  const { metadata, ...account } = cluster.read("ServiceAccount", "fabric-cleanup", "org1");
  const { labels = {} } = metadata;
  cluster.put({ ...account, metadata: { name: "mine", namespace: "org1", labels } });
  await unschedule(cluster);
  expect(await unschedule(cluster)).toMatchObject({ changed: 0 });
  expect(cluster.find("ServiceAccount", "mine", "org1")).toBeDefined();
});
