import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ChannelConfig } from "../../plugin/fabric/config.ts";
import { setAnchorPeers } from "../../plugin/fabric/config-change.ts";
import { commitConfigChange } from "../../plugin/fabric/config-commit.ts";
import { connectCluster } from "../../plugin/kube/cluster.ts";
import { findNetwork } from "../../plugin/network/definition.ts";
import { openNetwork, type OpenNetwork } from "../../plugin/network/open-network.ts";
import { connectOrganization } from "../../plugin/network/reach.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { listProcesses } from "../sandbox/processes.ts";
import { killedAfter, killedAt, pluginJson, pluginOutput, runPlugin } from "./plugin-process.ts";

const { kubeconfig, binDir, fabricVersions, nodeenvArchive } = inject("sandbox");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");

/** Real releases, and what stands in for them everywhere. */
const networks = [...fabricVersions, "emulator"];
/** "3.1.5" is the image tag 3.1. */
const tagOf = (version: string) => version.split(".").slice(0, 2).join(".");
const newest =
  fabricVersions.toSorted((left, right) => right.localeCompare(left, "en", { numeric: true }))[0] ?? "emulator";

test.skipIf(fabricVersions.length === 0)("real Fabric (a release in FABRIC_HOME or /opt/hyperledger-fabric)", () => {
  expect(networks).toEqual(expect.arrayContaining([...fabricVersions]));
});

/** The processes of a Pod's containers, and of those that its Docker daemon started: by their control groups. */
async function processesOf(namespace: string, pod: string): Promise<() => readonly number[]> {
  const { status } = JSON.parse(await kubectl(["-n", namespace, "get", "pod", pod, "-o", "json"])) as {
    status: Record<"containerStatuses" | "initContainerStatuses", { containerID: string }[]>;
  };
  const ids = [...status.containerStatuses, ...status.initContainerStatuses].map(({ containerID }) =>
    containerID.replace(/^.*\/\//, ""),
  );
  return () =>
    listProcesses()
      .map(({ pid }) => pid)
      .filter((pid) => ids.some((id) => controlGroups(pid).includes(id)));
}

function controlGroups(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}

const { signal } = new AbortController();

/** What only a test does to a network: by the plugin's own library. */
async function withNetwork(use: (network: OpenNetwork) => Promise<void>): Promise<void> {
  const cluster = await connectCluster({ kubeconfig });
  const network = openNetwork(cluster, await findNetwork(cluster, undefined, signal));
  try {
    await use(network);
  } finally {
    await network.close();
    cluster.close();
  }
}

beforeAll(async () => {
  execFileSync("npm", ["ci", "--silent", "--prefix", chaincode], { stdio: "inherit" });
  await pluginOutput(["webhook", "install"]);
});

afterAll(async () => {
  await pluginOutput(["webhook", "uninstall"]);
});

describe.each(networks)("a network of Fabric %s", (version) => {
  const deploy = ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", "--load-image", nodeenvArchive];
  const commands = [["init", "--fabric-version", tagOf(version)], ["join", "mychannel"], deploy] as const;

  afterAll(async () => {
    await pluginOutput(["down", "--yes"]); // also when a test before has failed
  });

  test("four commands lead to a transaction", async () => {
    for (const command of commands) expect((await pluginJson(command)).changed).toBeGreaterThan(0);
    const created = await pluginJson<{ payload: string; transactionId: string }>([
      "invoke",
      "asset",
      "CreateAsset",
      "a1",
      "tom",
      "100",
      "-C",
      "mychannel",
    ]);
    expect(JSON.parse(created.payload)).toEqual({ id: "a1", owner: "tom", value: 100 });
    expect(created.transactionId).toMatch(/^[0-9a-f]{64}$/);
    const read = await pluginOutput(["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", "org2"]);
    expect(JSON.parse(read)).toEqual({ id: "a1", owner: "tom", value: 100 });
  });

  test.each(commands.map((command) => [command[0], command] as const))(
    "%s again changes nothing",
    async (_, command) => {
      expect(await pluginJson(command)).toMatchObject({ changed: 0, wouldChange: 0 });
    },
  );

  test("join puts back an anchor peer that somebody took out of the channel", async () => {
    await withNetwork(async (network) => {
      const [organization] = network.definition.spec.peerOrganizations;
      if (!organization) throw new Error("no peer organization");
      const { mspId } = organization;
      const { identity } = await network.administrator(organization, signal);
      const orderer = await connectOrganization(network, network.definition.spec.ordererOrganization, signal);
      const change = (current: ChannelConfig) => setAnchorPeers(current, mspId, []);
      const what = "taking the anchor peers away";
      expect(await commitConfigChange(orderer, { channel: "mychannel", what, change, signers: [identity] })).toBe(true);
    });
    // The peer learns of it a moment later.
    await expect
      .poll(async () => (await pluginJson(["join", "mychannel", "--dry-run"])).wouldChange, {
        timeout: 15_000,
        interval: 300,
      })
      .toBe(1);
    const { steps, changed } = await pluginJson(["join", "mychannel"]);
    expect(changed).toBe(1);
    expect(steps.find(({ result }) => result === "changed")?.id).toBe("mychannel/org1/anchor-peers");
  });

  test("status shows every node on the channel with its chaincode", async () => {
    const { ready, nodes } = await pluginJson<{ ready: boolean; nodes: { component: string; channels: object[] }[] }>([
      "status",
    ]);
    expect(ready).toBe(true);
    expect(nodes).toHaveLength(5);
    for (const { component, channels } of nodes) {
      const chaincodes = component === "peer" ? ["asset 1 (sequence 1)"] : [];
      expect(channels).toEqual([{ name: "mychannel", height: expect.any(Number), chaincodes }]);
    }
  });

  test("the chaincode runs in the peer's own Pod and dials localhost:7052", async () => {
    const docker = (...args: string[]) =>
      kubectl(["-n", "org1", "exec", "peer0-0", "-c", "kubectl-fabric-dind", "--", "docker", ...args]);
    const [id = ""] = (await docker("ps", "-q")).trim().split("\n");
    const [found] = JSON.parse(await docker("inspect", id)) as [{ Name: string; HostConfig: { NetworkMode: string } }];
    expect(found.Name).toMatch(/^\/fabric-peer0\.org1-asset-[0-9a-f]{64}$/);
    expect(found.HostConfig.NetworkMode).toBe("host");
    const processes = listProcesses().filter(({ argv }) => argv.includes("--peer.address"));
    expect(processes.length).toBeGreaterThan(0);
    for (const { argv } of processes) expect(argv[argv.indexOf("--peer.address") + 1]).toBe("localhost:7052");
  });

  test("an error of the chaincode is told in its own words", async () => {
    const { code, stderr } = await runPlugin(["invoke", "asset", "CreateAsset", "a1", "tom", "1", "-C", "mychannel"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the asset a1 already exists/);
  });

  test("after its Pod was deleted a peer comes back with ledger and chaincode, and the old Pod leaves no process", async () => {
    const old = await processesOf("org1", "peer0-0");
    expect(old().length).toBeGreaterThan(3); // peer, dockerd, its containerd, chaincode
    await kubectl(["-n", "org1", "delete", "pod", "peer0-0", "--wait=true"]);
    expect(old()).toEqual([]);
    await kubectl(["-n", "org1", "rollout", "status", "statefulset/peer0", "--timeout=120s"]);
    const read = ["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", "org1"];
    expect(JSON.parse(await pluginOutput(read))).toMatchObject({ owner: "tom" });
  });

  test("a peer that does not run is named, with what to look at", async () => {
    const scale = (replicas: number) =>
      kubectl(["-n", "org2", "scale", "statefulset", "peer0", `--replicas=${replicas}`, "--timeout=60s"]);
    await scale(0);
    await kubectl(["-n", "org2", "wait", "--for=delete", "pod/peer0-0", "--timeout=60s"]);
    const { code, stderr } = await runPlugin(["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", "org2"]);
    expect(stderr).toMatch(/expected a running Pod of .*peer0.*, found none\nhint: kubectl get pods -n org2/);
    expect(code).toBe(3);
    await scale(1);
    await kubectl(["-n", "org2", "rollout", "status", "statefulset/peer0", "--timeout=120s"]);
  });

  test("changed chaincode takes the next sequence", async () => {
    const upgraded = [...deploy, "--label", "asset-v2"];
    expect((await pluginJson(upgraded)).changed).toBeGreaterThan(0);
    expect(await pluginOutput(["status"])).toMatch(/asset 2 \(sequence 2\)/);
    expect(await pluginJson(upgraded)).toMatchObject({ changed: 0 });
  });

  test("down leaves no namespace and no process, and again changes nothing", async () => {
    const processes = await processesOf("org1", "peer0-0");
    expect(processes()).not.toEqual([]);
    expect((await pluginJson(["down", "--yes"])).changed).toBe(3);
    expect(processes()).toEqual([]);
    expect(await pluginJson(["down", "--yes"])).toMatchObject({ changed: 0 });
  });
});

describe(`commands of Fabric ${newest} killed half-way`, () => {
  const tag = tagOf(newest);
  const deploy = ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", "--load-image", nodeenvArchive];

  afterAll(async () => {
    await pluginOutput(["down", "--yes"]);
  });

  test.each([
    ["init", ["init", "--fabric-version", tag], [1, 6, 15, 25]],
    ["join", ["join", "mychannel"], [1, 3]],
    ["deploy-cc", deploy, [1, 3, 5]],
  ] as const)("%s: killed after a few steps, the same command goes on", async (_, command, afterSteps) => {
    for (const steps of afterSteps) expect((await killedAfter(steps, command)).signal).toBe("SIGKILL");
    await pluginOutput(command);
    expect(await pluginJson(command)).toMatchObject({ changed: 0 });
  });

  test("down: killed at once, the same command goes on", async () => {
    await killedAt(700, ["down", "--yes"]);
    await pluginOutput(["down", "--yes"]);
    expect(await pluginJson(["down", "--yes"])).toMatchObject({ changed: 0, namespaces: [] });
  });
});
