import { afterEach, expect, test } from "vitest";
import { hostDocker, type HostDockerContext } from "../../../../../core/orphans/places/host-docker.ts";
import { nodeAccessDefaults, nodePodLabels } from "../../../../../core/orphans/places/node-pod.ts";
import { linesOf } from "../../network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

const { signal } = new AbortController();
const name = "kubectl-fabric-cleanup-abcde";

/** A cluster with the Pod of a run that was killed: the kubelet has ended it since. */
async function withLeftover() {
  const cluster = await scriptedCluster();
  opened.push(cluster);
  const leftover = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "tools", labels: nodePodLabels },
    status: { phase: "Failed" },
  };
  cluster.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "tools" } });
  cluster.put(leftover);
  const client = cluster.connect();
  const access = { ...nodeAccessDefaults, namespace: "tools" };
  const context = { cluster: client, lasting: client, access, peers: [], everywhere: true, gonePeers: [] };
  return { cluster, leftover, docker: await hostDocker(context as unknown as HostDockerContext, signal) };
}

test("what a killed run left on the nodes is removed", async () => {
  const { cluster, docker } = await withLeftover();
  await docker.close();
  expect(linesOf(cluster)).toEqual([`delete Pod tools/${name}`]);
});

test("but not another Pod that has come to have its name", async () => {
  const { cluster, leftover, docker } = await withLeftover();
  cluster.interfere(({ verb }) => {
    if (verb !== "delete") return undefined;
    cluster.erase("Pod", name, "tools");
    cluster.put(leftover);
    return undefined;
  });
  await docker.close();
  expect(cluster.find("Pod", name, "tools")).toBeDefined();
});
