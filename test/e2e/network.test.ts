import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import type { ChannelConfig } from "../../core/fabric/channel/config.ts";
import { setAnchorPeers } from "../../core/fabric/channel/config-change.ts";
import { commitConfigChange } from "../commit-config-change.ts";
import { connectCluster } from "../../core/kubernetes/cluster.ts";
import { findNetwork } from "../../core/network/resources/definition.ts";
import { openNetwork, type OpenNetwork } from "../../core/network/session/open-network.ts";
import { connectOrganization } from "../../core/network/session/reach.ts";
import { newKubectl } from "../sandbox/kubectl.ts";
import { fabrics, loadImage } from "./fabrics.ts";
import { newPlugin } from "./plugin-process.ts";
import { processesOf } from "./pod-processes.ts";

const { kubeconfig, binDir, sandbox } = inject("cluster");
const kubectl = newKubectl(binDir, kubeconfig);
const chaincode = join(import.meta.dirname, "../chaincode/asset-transfer");

// The names of a network that nobody has named; no other file of tests uses them.
const plugin = newPlugin("--network", "fabric");

const { signal } = new AbortController();

/** What only a test does to a network: by the plugin's own library. */
async function withNetwork(use: (network: OpenNetwork) => Promise<void>): Promise<void> {
  const cluster = await connectCluster({ kubeconfig });
  const network = openNetwork(cluster, await findNetwork(cluster, "fabric", () => {}, signal));
  try {
    await use(network);
  } finally {
    await network.close();
    cluster.close();
  }
}

describe.each(fabrics)("a network of Fabric $version", ({ tag }) => {
  const deploy = ["deploy-cc", "asset", "--path", chaincode, "-C", "mychannel", ...loadImage];
  const commands = [["init", "--fabric-version", tag], ["join", "mychannel"], deploy] as const;

  const created: number[] = [];
  let invoked: { readonly payload: string; readonly transactionId: string };

  beforeAll(async () => {
    for (const command of commands) created.push((await plugin.json(command)).changed);
    invoked = await plugin.json(["invoke", "asset", "CreateAsset", "a1", "tom", "100", "-C", "mychannel"]);
  });

  afterAll(async () => {
    await plugin.output(["down", "--yes"]);
  });

  test("four commands lead to a transaction", async () => {
    for (const changed of created) expect(changed).toBeGreaterThan(0);
    expect(created).toHaveLength(commands.length);
    expect(JSON.parse(invoked.payload)).toEqual({ id: "a1", owner: "tom", value: 100 });
    expect(invoked.transactionId).toMatch(/^[0-9a-f]{64}$/);
    // Org2's peer has the block a moment later.
    const read = () => plugin.run(["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", "org2"]);
    await expect.poll(read, { timeout: 30_000 }).toMatchObject({ code: 0 });
    expect(JSON.parse((await read()).stdout)).toEqual({ id: "a1", owner: "tom", value: 100 });
  });

  test.each(commands.map((command) => [command[0], command] as const))(
    "%s again changes nothing",
    async (_, command) => {
      expect(await plugin.json(command)).toMatchObject({ changed: 0, wouldChange: 0 });
    },
  );

  test("nobody is called at the operations port by a Service, and of an organization's nodes one may be drained", async () => {
    const ports = ["-o", "jsonpath={.spec.ports[*].port}"];
    expect(await kubectl(["-n", "org1", "get", "service", "peer0", ...ports])).toBe("7051");
    expect(await kubectl(["-n", "orderer", "get", "service", "orderer0", ...ports])).toBe("7050 9443");
    const budget = ["-n", "orderer", "get", "pdb", "fabric-nodes", "-o", "jsonpath={.status}"];
    await expect
      .poll(async () => JSON.parse(await kubectl(budget)) as object, { timeout: 60_000 })
      .toMatchObject({ expectedPods: 3, disruptionsAllowed: 1 });
  });

  // A cluster of one's own may not enforce policies.
  test.skipIf(!sandbox)("another Pod cannot change what a peer logs; who has the label reads its metrics", async () => {
    const address = await kubectl(["-n", "org1", "get", "pod", "peer0-0", "-o", "jsonpath={.status.podIP}"]);
    const inOrg2 = ["-n", "org2", "exec", "peer0-0", "-c", "kubectl-fabric-dind", "--"];
    const asked = async (request: string) => {
      const script = `printf '${request} HTTP/1.0\\r\\nContent-Length: 0\\r\\n\\r\\n' | nc -w 3 ${address} 9443`;
      return kubectl([...inOrg2, "sh", "-c", script]).catch(() => "nobody");
    };
    const metrics = () => asked("GET /metrics");
    await kubectl([...inOrg2, "nc", "-w", "5", address, "7051"]); // it connects
    expect(await asked("PUT /logspec")).toBe("nobody");
    expect(await metrics()).toBe("nobody");
    await kubectl(["label", "namespace", "org2", "kubectl-fabric.io/metrics-reader=true"]);
    try {
      await expect.poll(metrics, { timeout: 60_000 }).toContain("# TYPE");
    } finally {
      await kubectl(["label", "namespace", "org2", "kubectl-fabric.io/metrics-reader-"]);
    }
    await expect.poll(metrics, { timeout: 60_000 }).toBe("nobody");
  });

  test("join puts back an anchor peer that somebody took out of the channel", async () => {
    await withNetwork(async (network) => {
      const [organization] = network.definition.spec.peerOrganizations;
      if (!organization) throw new Error("no peer organization");
      const { mspId } = organization;
      const { identity } = await network.administrator(organization, signal);
      const connection = await connectOrganization(network, network.definition.spec.ordererOrganization, signal);
      const change = (current: ChannelConfig) => setAnchorPeers(current, mspId, []);
      const what = "taking the anchor peers away";
      expect(await commitConfigChange({ connection, identity }, { channel: "mychannel", what, change })).toBe(true);
    });
    // The peer learns of it a moment later.
    await expect
      .poll(async () => (await plugin.json(["join", "mychannel", "--dry-run"])).wouldChange, {
        timeout: 15_000,
        interval: 300,
      })
      .toBe(1);
    const { steps, changed } = await plugin.json(["join", "mychannel"]);
    expect(changed).toBe(1);
    expect(steps.find(({ result }) => result === "changed")?.id).toBe("mychannel/org1/anchor-peers");
  });

  test("a genesis block that was lost is read from a peer: another one would be another channel", async () => {
    const map = ["-n", "orderer", "configmap", "channel-mychannel"];
    const stored = () => kubectl(["get", ...map, "-o", "jsonpath={.binaryData}"]);
    const before = await stored();
    await kubectl(["delete", ...map]);
    expect(await plugin.json(["join", "mychannel"])).toMatchObject({ changed: 1 });
    expect(await stored()).toBe(before);
  });

  test("status shows every node on the channel with its chaincode", async () => {
    const { ready, nodes } = await plugin.json<{ ready: boolean; nodes: { component: string; channels: object[] }[] }>([
      "status",
    ]);
    expect(ready).toBe(true);
    expect(nodes).toHaveLength(5);
    for (const { component, channels } of nodes) {
      const chaincodes = component === "peer" ? ["asset 1 (sequence 1)"] : [];
      expect(channels).toEqual([{ name: "mychannel", height: expect.any(Number), chaincodes }]);
    }
  });

  test.skipIf(!sandbox)("the chaincode runs in the peer's own Pod and dials localhost:7052", async () => {
    const docker = (...args: string[]) =>
      kubectl(["-n", "org1", "exec", "peer0-0", "-c", "kubectl-fabric-dind", "--", "docker", ...args]);
    const [id = ""] = (await docker("ps", "-q")).trim().split("\n");
    const [found] = JSON.parse(await docker("inspect", id)) as [{ Name: string; HostConfig: { NetworkMode: string } }];
    expect(found.Name).toMatch(/^\/fabric-peer0\.org1-asset-[0-9a-f]{64}$/);
    expect(found.HostConfig.NetworkMode).toBe("host");
    const inPod = await processesOf(kubectl, "org1", "peer0-0");
    const processes = inPod().filter(({ argv }) => argv.includes("--peer.address"));
    expect(processes.length).toBeGreaterThan(0);
    for (const { argv } of processes) expect(argv[argv.indexOf("--peer.address") + 1]).toBe("localhost:7052");
  });

  test("an error of the chaincode is told in its own words", async () => {
    const { code, stderr } = await plugin.run(["invoke", "asset", "CreateAsset", "a1", "tom", "1", "-C", "mychannel"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/the asset a1 already exists/);
  });

  test.skipIf(!sandbox)(
    "after its Pod was deleted a peer comes back with ledger and chaincode, and the old Pod leaves no process",
    async () => {
      const old = await processesOf(kubectl, "org1", "peer0-0");
      expect(old().length).toBeGreaterThan(3); // peer, dockerd, its containerd, chaincode
      await kubectl(["-n", "org1", "delete", "pod", "peer0-0", "--wait=true"]);
      expect(old()).toEqual([]);
      await kubectl(["-n", "org1", "rollout", "status", "statefulset/peer0", "--timeout=120s"]);
      const read = ["query", "asset", "ReadAsset", "a1", "-C", "mychannel", "--org", "org1"];
      expect(JSON.parse(await plugin.output(read))).toMatchObject({ owner: "tom" });
    },
  );

  test("a peer that does not run is named, with what to look at", async () => {
    const scale = (replicas: number) =>
      kubectl(["-n", "org2", "scale", "statefulset", "peer0", `--replicas=${replicas}`, "--timeout=60s"]);
    await scale(0);
    await kubectl(["-n", "org2", "wait", "--for=delete", "pod/peer0-0", "--timeout=60s"]);
    const { code, stderr } = await plugin.run([
      "query",
      "asset",
      "ReadAsset",
      "a1",
      "-C",
      "mychannel",
      "--org",
      "org2",
    ]);
    expect(stderr).toMatch(
      /expected a running Pod of .*peer0.*, found none\nhint: kubectl fabric --network fabric init/,
    );
    expect(code).toBe(3);
    const doctor = await plugin.run(["doctor", "-n", "org2"]);
    expect(doctor.stdout).toMatch(/peer0\.org2 is scaled to 0/);
    expect(doctor.code).toBe(3);
    await scale(1);
    await kubectl(["-n", "org2", "rollout", "status", "statefulset/peer0", "--timeout=120s"]);
  });

  test("an organization that lost its authorities is not given others, and has them back from the backup", async () => {
    const folder = await mkdtemp(join(tmpdir(), "keys-"));
    try {
      const backup = join(folder, "org2-keys.yaml");
      await writeFile(
        backup,
        await kubectl(["-n", "org2", "get", "secrets", "-l", "kubectl-fabric.io/org=org2", "-o", "yaml"]),
      );
      await kubectl(["-n", "org2", "delete", "secret", "certificate-authorities"]);
      const { code, stderr } = await plugin.run(["init"]);
      expect(stderr).toMatch(
        /expected Secret org2\/certificate-authorities, which issued .*admin-identity.*, found none/,
      );
      expect(stderr).toMatch(/hint: restore it from the backup/);
      expect(code).toBe(1);
      // The others are still there, and stay.
      await expect(kubectl(["create", "-f", backup])).rejects.toThrow(/"peer0-identity" already exists/);
      expect(await plugin.json(["init"])).toMatchObject({ changed: 0 });
      expect(await plugin.json(["status"])).toMatchObject({ ready: true });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("changed chaincode takes the next sequence", async () => {
    const upgraded = [...deploy, "--label", "asset-v2"];
    expect((await plugin.json(upgraded)).changed).toBeGreaterThan(0);
    expect(await plugin.output(["status"])).toMatch(/asset 2 \(sequence 2\)/);
    expect(await plugin.json(upgraded)).toMatchObject({ changed: 0 });
  });

  test.skipIf(!sandbox)("down leaves no namespace and no process, and again changes nothing", async () => {
    const processes = await processesOf(kubectl, "org1", "peer0-0");
    expect(processes()).not.toEqual([]);
    expect((await plugin.json(["down", "--yes"])).changed).toBe(3);
    expect(processes()).toEqual([]);
    expect(await plugin.json(["down", "--yes"])).toMatchObject({ changed: 0 });
  });
});
