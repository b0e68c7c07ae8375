import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { PlansReport } from "../../../../plugin/commands/plan-run.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { entry, init, linesOf } from "../../core/network/network-cluster.ts";
import { scriptedCluster, type ScriptedCluster } from "../../core/scripted-cluster/scripted-cluster.ts";
import { commandSession, type CommandSession } from "./command-session.ts";
import { typedAs } from "../../../typed-as.ts";

/** The folder of a chaincode. */
let asset: string;
beforeAll(async () => {
  asset = join(await mkdtemp(join(tmpdir(), "up-")), "asset");
  await mkdir(asset);
  await writeFile(
    join(asset, "package.json"),
    JSON.stringify({ name: "asset", scripts: { start: "fabric-chaincode-node start" } }),
  );
  await writeFile(join(asset, "index.js"), "");
});
afterAll(() => rm(dirname(asset), { recursive: true, force: true }));

let cluster: ScriptedCluster;
let session: CommandSession;
beforeEach(async () => {
  cluster = await scriptedCluster();
  session = await commandSession(cluster);
});
afterEach(async () => {
  await session.close();
  await cluster.close();
});

/** `kubectl fabric up --dry-run -o json` */
async function dryRun(...argv: readonly string[]) {
  const count = cluster.writes.length;
  const { stdout, stderr, error } = await session.run("up", "--chaincode", asset, "--dry-run", "-o", "json", ...argv);
  expect(error).toBeUndefined();
  expect(linesOf(cluster, count)).toEqual([]);
  const report = JSON.parse(stdout) as PlansReport & { readonly chaincode: string; readonly channel: string };
  // A heading is a line at the margin.
  return { report, headings: stderr.split("\n").filter((line) => /^\S/.test(line)) };
}

const plans = ["webhook", "network fabric", "channel mychannel", "chaincode asset"];
const changes = ({ steps }: PlansReport) => steps.filter(({ result }) => result !== "unchanged").map(({ id }) => id);

describe("up --dry-run", () => {
  test("of nothing: its four plans in order, the steps of those that can be looked at, and no write", async () => {
    const { report, headings } = await dryRun();
    expect(headings).toEqual(plans);
    expect(report).toMatchObject({ chaincode: "asset", channel: "mychannel", changed: 0, unchanged: 2 });
    // The network can be looked at without a webhook; a channel cannot without a network.
    expect(report.steps.find(({ id }) => id === "org1/authorities")).toMatchObject({ result: "would-change" });
    expect(report.steps.find(({ id }) => id === "webhook")?.detail).toMatch(/^the webhook is not installed/);
    expect(changes(report).filter((id) => id.startsWith("webhook/"))).toEqual([
      "webhook/namespace",
      "webhook/settings/kubectl-fabric-webhook",
      "webhook/objects",
      "webhook/ready",
      "webhook/trusted",
    ]);
    expect(cluster.objects()).toEqual([]);
  });

  test("with the webhook: the network is next", async () => {
    await session.run("webhook", "install");
    const { report, headings } = await dryRun();
    expect(headings).toEqual(plans);
    expect(report).toMatchObject({ changed: 0, unchanged: 8 });
    expect(changes(report)).toContain("org1/namespace");
    expect(changes(report).filter((id) => !/^(orderer|org1|org2)\//.test(id))).toEqual([]);
  });

  test("with the network: the channel is next", async () => {
    await session.run("webhook", "install");
    await init(cluster, networkFor({}), { now: new Date() });
    const { report, headings } = await dryRun();
    expect(headings).toEqual(plans);
    expect(changes(report)).toEqual([
      "mychannel/genesis",
      ...["orderer0.orderer", "orderer1.orderer", "orderer2.orderer", "peer0.org1", "peer0.org2"].map(
        (host) => `mychannel/${host}`,
      ),
      "mychannel/org1/anchor-peers",
      "mychannel/org2/anchor-peers",
    ]);
    expect(report.steps.find(({ id }) => id === "mychannel/genesis")?.detail).toBe("a channel of org1, org2");
  });

  test("for people: what would be done, and that nothing was", async () => {
    const { stdout, stderr } = await session.run("up", "--chaincode", asset, "--dry-run");
    expect(stdout).toBe("dry run: 36 steps to do; nothing was changed\n");
    expect(stderr).toContain("  + namespace kubectl-fabric-system: Namespace kubectl-fabric-system\n");
    expect(linesOf(cluster)).toEqual([]);
  });
});

describe("what is there already is left as it is", () => {
  test("a network of other sizes, organizations and version", async () => {
    await session.run("webhook", "install");
    const network = networkFor({ fabricVersion: "2.5", peerOrganizations: ["air"], peers: 2, orderers: 1 });
    await init(cluster, network, { now: new Date() });
    const { report } = await dryRun();
    expect(changes(report)[0]).toBe("mychannel/genesis");
    expect(report.steps.find(({ id }) => id === "mychannel/genesis")?.detail).toBe("a channel of air");
  });

  test("the only network of another name", async () => {
    await session.run("webhook", "install");
    await init(cluster, networkFor({ name: "trade", orderers: 1 }), { now: new Date() });
    const { report, headings } = await dryRun();
    expect(headings).toEqual(["webhook", "network trade", "channel mychannel", "chaincode asset"]);
    expect(changes(report)[0]).toBe("mychannel/genesis");
  });

  test("a webhook of another image, with other settings", async () => {
    await session.run("webhook", "install", "--image", "registry.example/webhook:1", "--replicas", "1");
    cluster.put({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "kubectl-fabric-webhook", namespace: "kubectl-fabric-system" },
      data: { "settings.yaml": "dind:\n  image: registry.example/docker:28-dind\n" },
    });
    const { report } = await dryRun();
    expect(changes(report).filter((id) => id.startsWith("webhook/"))).toEqual([]);
  });
});

describe("up", () => {
  test("does webhook, network and channel one after another, until there is no node to talk to", async () => {
    // Pods of the scripted cluster run nothing: what comes after the channel's genesis block is left to tests with nodes.
    const { error, stderr } = await session.run("up", "--chaincode", asset, "--channel", "trade");
    expect(error).toMatchObject({ code: "steps-failed" });
    const lines = linesOf(cluster);
    const planOf = (line: string) => {
      if (/\/channel-/.test(line)) return "channel";
      return /kubectl-fabric-(system|webhook)/.test(line) ? "webhook" : "network";
    };
    expect(lines.map(planOf).filter((plan, index, all) => plan !== all[index - 1])).toEqual([
      "webhook",
      "network",
      "channel",
    ]);
    expect(lines.at(-1)).toBe("create ConfigMap orderer/channel-trade");
    expect(stderr).not.toContain("chaincode asset");
    // And again: what is done stays done.
    const count = cluster.writes.length;
    await session.run("up", "--chaincode", asset, "--channel", "trade");
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("a plan that fails is the last one", async () => {
    cluster.interfere(({ kind }) => (kind === "Deployment" ? "forbidden" : undefined));
    const { error, stderr } = await session.run("up", "--chaincode", asset);
    expect(error).toMatchObject({
      code: "forbidden",
      hint: typedAs("kubectl auth can-i get deployments.apps -n kubectl-fabric-system"),
    });
    expect(stderr).not.toContain("network fabric");
    expect(cluster.find("Namespace", "org1")).toBeUndefined();
  });

  test("its options reach the network that it makes", async () => {
    await session.run("up", "--chaincode", asset, "--network", "trade", "--fabric-version", "2.5");
    const definition = entry(cluster.read("ConfigMap", "fabric-network", "org1"), "network.yaml");
    expect(definition).toContain("name: trade");
    expect(cluster.read("StatefulSet", "peer0", "org1")).toMatchObject({
      spec: { template: { spec: { containers: [{ image: "docker.io/hyperledger/fabric-peer:2.5" }] } } },
    });
  });
});

describe("what is wrong about the chaincode is said before anything is done, or planned", () => {
  test.each([
    ["no such folder", ["--chaincode", "nosuchdir"], /cannot read nosuchdir/],
    ["a folder without chaincode", ["--chaincode", "docs", "--name", "a"], /expected package\.json, go\.mod/],
    ["a name that Fabric does not take", ["--chaincode", ".", "--name", "bad name"], /found "bad name"/],
    ["a channel's name", ["--chaincode", ".", "--name", "a", "-C", "Bad_Name"], /expected a channel name/],
    ["an archive that is none", ["--chaincode", "test/chaincode/counter", "--load-image", "nosuch"], /nosuch/],
  ])("%s", async (_, argv, message) => {
    for (const more of [[], ["--dry-run"]]) {
      const { error, stderr } = await session.run("up", ...argv, ...more);
      expect(error).toMatchObject({ code: "usage", message: expect.stringMatching(message) });
      expect(stderr).toBe("");
      expect(cluster.requests).toEqual([]);
    }
  });
});

describe("what up does not understand", () => {
  test.each([
    ["no --chaincode", ["up"], /required option '--chaincode <dir>' not specified/],
    ["a folder as an argument", ["up", "./asset", "--chaincode", "./asset"], /too many arguments/],
    ["a deadline that is none", ["up", "--chaincode", "a", "--timeout", "soon"], /Expected a time like 30s/],
  ])("%s is a usage error with a hint, and nothing is asked of the cluster", async (_, argv, message) => {
    const { error, stderr } = await session.run(...argv);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/hint: add --help/);
    expect(error).toMatchObject({ exitCode: 1 });
    expect(cluster.requests).toEqual([]);
  });
});
