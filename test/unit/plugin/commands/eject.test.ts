import { afterEach, beforeEach, expect, test } from "vitest";
import { clusterWithWebhook, init, linesOf, small } from "../../core/network/network-cluster.ts";
import type { ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";

let cluster: ScriptedCluster;
let session: CommandSession;
let count: number;
beforeEach(async () => {
  cluster = await clusterWithWebhook();
  session = await commandSession(cluster);
  await init(cluster, small);
  count = cluster.writes.length;
});
afterEach(async () => {
  await session.close();
  await cluster.close();
});

const annotation = "kubectl-fabric.io/inject";
const annotations = (name: string) => {
  const { template } = cluster.read("StatefulSet", name, "org1")["spec"] as {
    readonly template: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } };
  };
  return template.metadata.annotations ?? {};
};

test("a peer that init made is not ejected unasked, and what that would mean is told", async () => {
  const { error } = await session.run("eject", "statefulset/peer0", "-n", "org1");
  expect(error).toMatchObject({
    code: "usage",
    message: expect.stringContaining(
      "peer0.org1 is a peer of network fabric: without its daemon it does not become ready",
    ),
    hint: "add --yes to go on without being asked",
  });
  expect(linesOf(cluster, count)).toEqual([]);
});

test("with --yes it is, and init gives the daemon back", async () => {
  const { error } = await session.run("eject", "statefulset/peer0", "-n", "org1", "--yes");
  expect(error).toBeUndefined();
  expect(annotations("peer0")).not.toHaveProperty(annotation);
  await init(cluster, small);
  expect(annotations("peer0")).toHaveProperty(annotation, "true");
});

test("somebody else's is ejected without a question", async () => {
  const template = { metadata: { annotations: { [annotation]: "true" } }, spec: { containers: [{ name: "peer" }] } };
  const metadata = { name: "theirs", namespace: "org1" };
  cluster.put({ apiVersion: "apps/v1", kind: "StatefulSet", metadata, spec: { replicas: 0, template } });
  const { error } = await session.run("eject", "statefulset/theirs", "-n", "org1");
  expect(error).toBeUndefined();
  expect(annotations("theirs")).not.toHaveProperty(annotation);
});
