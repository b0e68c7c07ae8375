// As far as there is no node: the genesis block, and how nodes that do not run are told. What nodes answer is the integration
// tests' (test/integration/core/fabric/) and the end-to-end tests'.
import { Buffer } from "node:buffer";
import { afterEach, describe, expect, test } from "vitest";
import { readBlock } from "../../../../../core/fabric/node/block.ts";
import { anchorPeers, consenters } from "../../../../../core/fabric/channel/config-change.ts";
import { configOf, organizationsOf } from "../../../../../core/fabric/channel/config.ts";
import { channelOf } from "../../../../../core/fabric/channel/peer-channels.ts";
import { joinSteps, partIn } from "../../../../../core/network/operations/join.ts";
import { openNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { ordererNodes } from "../../../../../core/network/resources/nodes.ts";
import type { PeerOrganization } from "../../../../../core/network/resources/spec.ts";
import type { RunReport } from "../../../../../core/engine/report.ts";
import type { RunOptions } from "../../../../../core/engine/run.ts";
import { runToEnd } from "../../../../run-to-end.ts";
import type { Step } from "../../../../../core/engine/step.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import type { WireObject } from "../../scripted-cluster/stored-objects.ts";
import { clusterWithWebhook, entry, init, linesOf, small, today } from "../network-cluster.ts";
import { typedAs } from "../../../../typed-as.ts";

const opened: ScriptedCluster[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
async function initialized(network = small): Promise<ScriptedCluster> {
  const cluster = await clusterWithWebhook();
  opened.push(cluster);
  await init(cluster, network);
  return cluster;
}

interface JoinOptions extends Omit<RunOptions, "now"> {
  readonly network?: typeof small;
  readonly channel?: string;
  readonly organizations?: readonly PeerOrganization[];
  /** Of the plan's steps only these. */
  readonly only?: (step: Step) => boolean;
}

/** One `kubectl fabric join`. */
async function join(cluster: ScriptedCluster, options: JoinOptions = {}): Promise<RunReport> {
  const { network = small, channel = "mychannel", only = () => true, organizations, ...run } = options;
  const open = openNetwork(cluster.connect(), network);
  try {
    return await runToEnd(
      joinSteps(open, channel, { ...(organizations && { organizations }), now: () => today }).filter(only),
      { sleep: async () => {}, ...run },
    );
  } finally {
    await open.close();
  }
}

const genesisOnly = ({ id }: Step): boolean => /\/(members|genesis)$/.test(id);
const genesisMap = (cluster: ScriptedCluster, channel = "mychannel") =>
  cluster.read("ConfigMap", `channel-${channel}`, "orderer");

function blockOf(map: WireObject) {
  const { "genesis.block": text = "" } = map["binaryData"] as Readonly<Record<string, string>>;
  return readBlock(Buffer.from(text, "base64"));
}

describe("the genesis block", () => {
  test("is one object in the orderer organization's namespace, and all that is written", async () => {
    const cluster = await initialized();
    const count = cluster.writes.length;
    expect(await join(cluster, { only: genesisOnly })).toMatchObject({ changed: 1 });
    expect(linesOf(cluster, count)).toEqual(["create ConfigMap orderer/channel-mychannel"]);
    expect(genesisMap(cluster).metadata).toMatchObject({
      labels: {
        "app.kubernetes.io/managed-by": "kubectl-fabric",
        "kubectl-fabric.io/network": "fabric",
        "kubectl-fabric.io/org": "orderer",
      },
      annotations: { "kubectl-fabric.io/channel": "mychannel" },
    });
  });

  test("an orderer that came after it only follows, and that is what is said", async () => {
    const cluster = await initialized();
    await join(cluster, { only: genesisOnly });
    const { "genesis.block": text = "" } = genesisMap(cluster)["binaryData"] as Readonly<Record<string, string>>;
    const parts = ordererNodes(networkFor({ orderers: 2 })).map((node) => [
      partIn(Buffer.from(text, "base64"), node),
      partIn(undefined, node),
    ]);
    const follows = "it only follows the channel, which does not name it as a consenter";
    expect(parts).toEqual([
      ["it orders the channel", "it orders the channel"],
      [follows, "it orders the channel"],
    ]);
  });

  test("names every orderer as a consenter with its certificate, and each organization's first peer", async () => {
    const network = networkFor({ orderers: 2, peerOrganizations: ["air", "sea"], peers: 2 });
    const cluster = await initialized(network);
    await join(cluster, { network, only: genesisOnly });
    const block = blockOf(genesisMap(cluster));
    expect(channelOf(block)).toBe("mychannel");
    const config = configOf(block);
    const expected = ["orderer0", "orderer1"].map((name) => {
      const certificate = entry(cluster.read("Secret", `${name}-identity`, "orderer"), "tls-cert.pem");
      return {
        host: `${name}.orderer`,
        port: 7050,
        clientTlsCertificate: certificate,
        serverTlsCertificate: certificate,
      };
    });
    expect(consenters(config)).toEqual(expected);
    expect(anchorPeers(config, "AirMSP")).toEqual([{ host: "peer0.air", port: 7051 }]);
    expect(anchorPeers(config, "SeaMSP")).toEqual([{ host: "peer0.sea", port: 7051 }]);
  });

  test("holds no key", async () => {
    const cluster = await initialized();
    await join(cluster, { only: genesisOnly });
    const block = Buffer.from(blockOf(genesisMap(cluster)).serializeBinary()).toString("latin1");
    expect(block).toContain("BEGIN CERTIFICATE");
    for (const [namespace, name, key] of [
      ["orderer", "certificate-authorities", "ca-key.pem"],
      ["orderer", "orderer0-identity", "tls-key.pem"],
      ["org1", "certificate-authorities", "tlsca-key.pem"],
    ] as const) {
      const [, secret = ""] = entry(cluster.read("Secret", name, namespace), key).split("\n");
      expect(secret.length).toBeGreaterThan(40);
      expect(block).not.toContain(secret);
    }
  });

  test("is made once: another one would be another channel", async () => {
    const cluster = await initialized();
    await join(cluster, { only: genesisOnly });
    const [before, count] = [genesisMap(cluster), cluster.writes.length];
    expect(await join(cluster, { only: genesisOnly })).toMatchObject({ changed: 0, unchanged: 2 });
    expect(linesOf(cluster, count)).toEqual([]);
    expect(genesisMap(cluster)).toEqual(before);
  });

  test("of two that make it at the same time there is the first one's", async () => {
    const cluster = await initialized();
    const theirs: WireObject = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "channel-mychannel", namespace: "orderer" },
      binaryData: { "genesis.block": Buffer.from("theirs").toString("base64") },
    };
    cluster.interfere(({ verb, name }) => {
      if (verb === "create" && name === "channel-mychannel") cluster.put(theirs);
      return undefined;
    });
    await join(cluster, { only: genesisOnly });
    expect(genesisMap(cluster)["binaryData"]).toEqual(theirs["binaryData"]);
  });

  test("is not made from an organization that is half there", async () => {
    const cluster = await initialized();
    cluster.erase("ConfigMap", "msp", "org1");
    await expect(join(cluster, { only: genesisOnly })).rejects.toMatchObject({
      code: "not-found",
      message: "expected the certificates of org1 in ConfigMap org1/msp",
      hint: typedAs("kubectl fabric init makes what is missing"),
    });
    await init(cluster, small);
    cluster.erase("Secret", "orderer0-identity", "orderer");
    await expect(join(cluster, { only: genesisOnly })).rejects.toMatchObject({
      code: "not-found",
      message: "expected the identity of orderer0.orderer in Secret orderer/orderer0-identity",
    });
    expect(cluster.find("ConfigMap", "channel-mychannel", "orderer")).toBeUndefined();
  });

  test("a name that Fabric would refuse is refused before anything is asked", async () => {
    const cluster = await initialized();
    const count = cluster.requests.length;
    await expect(join(cluster, { channel: "My_Channel" })).rejects.toMatchObject({ code: "usage" });
    expect(cluster.requests.length).toBe(count);
  });
});

describe("a channel that is there", () => {
  const grown = networkFor({ orderers: 1, peerOrganizations: ["org1", "org3"] });
  /** A channel of org1, and org3 in the network since. */
  async function withNewcomer(): Promise<ScriptedCluster> {
    const cluster = await initialized();
    await join(cluster, { only: genesisOnly });
    await init(cluster, grown);
    return cluster;
  }

  test("takes no organization that is no member: nothing is done, and what can be is said", async () => {
    const cluster = await withNewcomer();
    const count = cluster.writes.length;
    for (const dryRun of [true, false]) {
      await expect(join(cluster, { network: grown, dryRun })).rejects.toMatchObject({
        code: "conflict",
        message:
          "expected members of mychannel (Org1MSP), found org3: a channel that is there takes no further organization yet",
        hint: typedAs("kubectl fabric join mychannel --orgs org1; kubectl fabric join ANOTHER makes a channel of all"),
      });
    }
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("goes on with its members alone", async () => {
    const cluster = await withNewcomer();
    const organizations = grown.spec.peerOrganizations.slice(0, 1);
    expect(await join(cluster, { network: grown, organizations, only: genesisOnly })).toMatchObject({ changed: 0 });
    const open = openNetwork(cluster.connect(), grown);
    expect(joinSteps(open, "mychannel", { organizations }).map(({ id }) => id)).toEqual([
      "mychannel/members",
      "mychannel/genesis",
      "mychannel/orderer0.orderer",
      "mychannel/peer0.org1",
      "mychannel/org1/anchor-peers",
    ]);
    await open.close();
  });

  test("is another one for another name: of all", async () => {
    const cluster = await withNewcomer();
    await join(cluster, { network: grown, channel: "second", only: genesisOnly });
    const config = configOf(blockOf(genesisMap(cluster, "second"))).config;
    expect(organizationsOf(config, "application")).toEqual(["Org1MSP", "Org3MSP"]);
  });
});

describe("join without nodes", () => {
  test("a dry run names all that would be done, and writes nothing", async () => {
    const cluster = await initialized();
    const count = cluster.writes.length;
    const report = await join(cluster, { dryRun: true });
    expect([...report.outcomes].map(([id, { result }]) => [id, result])).toEqual([
      ["mychannel/members", "unchanged"],
      ["mychannel/genesis", "would-change"],
      ["mychannel/orderer0.orderer", "would-change"],
      ["mychannel/peer0.org1", "would-change"],
      ["mychannel/org1/anchor-peers", "would-change"],
    ]);
    expect(linesOf(cluster, count)).toEqual([]);
  });

  test("nodes whose Pods do not run are told with where to look; the genesis block stays for the next run", async () => {
    const cluster = await initialized();
    cluster.erase("Pod", "orderer0-0", "orderer");
    cluster.put({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "peer0-0", namespace: "org1" },
      status: { phase: "Pending", conditions: [] },
    });
    await expect(join(cluster)).rejects.toMatchObject({
      code: "not-ready",
      message: expect.stringMatching(
        /orderer0\.orderer has joined: expected a running Pod of orderer0\.orderer, found none\n.*peer0\.org1 has joined: expected a running Pod of peer0\.org1, found 1 not running/,
      ),
      hint: typedAs("kubectl fabric init brings back what is gone or scaled to 0; then type the same command again"),
    });
    expect(genesisMap(cluster)).toBeDefined();
  });

  test("an administrator whose Secret may not be read cannot act; the other organization's nodes are still asked", async () => {
    const cluster = await initialized();
    cluster.interfere(({ kind, namespace }) => (kind === "Secret" && namespace === "org1" ? "forbidden" : undefined));
    const failure: unknown = await join(cluster).catch((error: unknown) => error);
    expect(String(failure)).toMatch(/peer0\.org1 has joined: secrets "admin-identity" is forbidden/);
    expect(String(failure)).toMatch(/orderer0\.orderer has joined: joining|orderer0\.orderer has joined: reading/);
  });

  test("an administrator's Secret that lacks its key is named", async () => {
    const cluster = await initialized();
    cluster.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "admin-identity", namespace: "org1" },
      data: { "msp-key.pem": null },
    });
    await expect(
      join(cluster, { only: (step) => genesisOnly(step) || step.id.endsWith("peer0.org1") }),
    ).rejects.toMatchObject({
      code: "not-found",
      message: "expected the administrator's identity in Secret org1/admin-identity: it lacks msp-key.pem",
      hint: typedAs("kubectl fabric init makes what is missing"),
    });
  });
});
