import { afterAll, beforeAll, describe, expect, onTestFailed } from "vitest";
import { ordererChannel, ordererChannels } from "../../../../core/fabric/channel/channel-participation.ts";
import { type ChannelConfig, configOf, organizationsOf } from "../../../../core/fabric/channel/config.ts";
import {
  addPeerOrganization,
  anchorPeers,
  consenters,
  replaceConsenter,
  setAnchorPeers,
} from "../../../../core/fabric/channel/config-change.ts";
import { commitConfigChange } from "../../../commit-config-change.ts";
import { computeConfigUpdate, policiesToSatisfy } from "../../../../core/fabric/channel/config-update.ts";
import { fetchBlock, fetchConfigBlock } from "../../../../core/fabric/node/deliver.ts";
import type { NodeClient } from "../../../../core/fabric/node/node-client.ts";
import { connectNode, type NodeConnection } from "../../../../core/fabric/node/node-connection.ts";
import { chainInfo, joinPeer } from "../../../../core/fabric/channel/peer-channels.ts";
import { eventually } from "./eventually.ts";
import { releases } from "./fabric-release.ts";
import {
  issueNodeTls,
  newOrganization,
  fabricNodes,
  type FabricNodes,
  type TestNode,
  type TestOrganization,
} from "./fabric-nodes.ts";
import { channel, genesisOf, joinOrderers } from "./test-channel.ts";
import { newStory } from "../../../story.ts";

const cases = releases.flatMap((release) => {
  const { version } = release;
  const raft = { consensus: "raft", ordererCount: 3, version, release } as const;
  const bft = { consensus: "bft", ordererCount: 4, version, release } as const;
  return /^\d+\./.test(version) && version < "3" ? [raft] : [raft, bft];
});

/** Changes of who takes part in a channel, on real orderers wherever a release is. */
describe.each(cases)("a channel of Fabric $version ordered by $consensus", ({ consensus, ordererCount, release }) => {
  let fabric: FabricNodes;
  let ordererOrg: TestOrganization;
  let org1: TestOrganization;
  let org2: TestOrganization;
  let org3: TestOrganization;
  let orderers: TestNode[];
  const connections: NodeConnection[] = [];

  const connected = (node: TestNode, { admin: identity }: TestOrganization): NodeClient => {
    const connection = connectNode(node.endpoint);
    connections.push(connection);
    return { connection, identity };
  };
  const orderer = (index: number) => {
    const node = orderers[index];
    if (!node) throw new Error(`expected orderer ${index}`);
    return node;
  };
  const config = async (index = 0) => {
    const client = connected(orderer(index), org1);
    return configOf(await eventually(() => fetchConfigBlock(client, "orderer", channel)));
  };

  const test = newStory();

  beforeAll(async () => {
    [ordererOrg, org1, org2, org3] = await Promise.all([
      newOrganization("OrdererMSP", "orderers"),
      newOrganization("Org1MSP", "org1"),
      newOrganization("Org2MSP", "org2"),
      newOrganization("Org3MSP", "org3"),
    ]);
    fabric = await fabricNodes(release);
    const names = Array.from({ length: ordererCount }, (_, index) => `orderer${index}`);
    orderers = await Promise.all(names.map((name) => fabric.startOrderer(ordererOrg, name)));
    await joinOrderers(orderers, genesisOf(consensus, orderers, [org1, org2]));
  });

  afterAll(async () => {
    for (const connection of connections) connection.close();
    await fabric?.stop();
  });

  const showLogs = () =>
    onTestFailed(async () => {
      for (const node of orderers) console.error(`--- ${node.name}\n${(await node.log()).slice(-2500)}`);
    });

  test("has all its orderers at work", async () => {
    showLogs();
    for (const { admin } of orderers) {
      expect(await ordererChannels(admin)).toEqual([channel]);
      expect(await ordererChannel(admin, channel)).toMatchObject({ consensusRelation: "consenter", status: "active" });
    }
    expect(consenters(await config())).toHaveLength(ordererCount);
  });

  test("takes a third organization when a majority consents", async () => {
    showLogs();
    const current = await config();
    const anchor = { host: "peer0.org3", port: 7051 };
    const add = (before: ChannelConfig) => addPeerOrganization(before, { msp: org3.msp, anchorPeers: [anchor] });
    const update = computeConfigUpdate(current, add(current));
    expect(update && policiesToSatisfy(current, update)).toEqual(["/Channel/Application/Admins"]);
    const client = connected(orderer(0), org1);
    const change = { channel, what: "adding Org3MSP", change: add };
    await expect(commitConfigChange(client, change)).rejects.toMatchObject({
      code: "rejected",
      hint: expect.stringContaining("another identity"),
    });
    expect(await commitConfigChange(client, { ...change, cosigners: [org2.admin] })).toBe(true);
    expect(organizationsOf((await config()).config, "application")).toEqual(["Org1MSP", "Org2MSP", "Org3MSP"]);
    expect(anchorPeers(await config(), "Org3MSP")).toEqual([anchor]);
  });

  test("lets a peer of the new organization join and catch up", async () => {
    showLogs();
    const peer = await fabric.startPeer(org3, "peer0");
    const client = connected(peer, org3);
    const genesis = await fetchBlock(connected(orderer(1), org3), "orderer", channel, "oldest");
    expect(await joinPeer(client, genesis)).toBe(true);
    await eventually(async () => {
      const { height } = await chainInfo(client, channel);
      expect(height).toBeGreaterThan(1);
    });
  });

  test("needs no update when orderers renew TLS certificates with the keys they have", async () => {
    showLogs();
    for (const node of orderers) {
      await node.restart({ tls: await issueNodeTls(ordererOrg, node.name, node.tls.privateKey) });
      await eventually(() => config());
    }
    expect(await changed("renewed")).toEqual(orderers.map(() => "renewed"));
  });

  test("takes an orderer's new TLS key by an update that the orderer sees before it restarts", async () => {
    showLogs();
    const node = orderer(1);
    const tls = await issueNodeTls(ordererOrg, node.name);
    const certificates = { clientTlsCertificate: tls.certificate, serverTlsCertificate: tls.certificate };
    await commitConfigChange(connected(orderer(0), ordererOrg), {
      channel,
      what: "replacing a consenter",
      change: (current) => replaceConsenter(current, { ...node.address, ...certificates }),
    });
    const hasUpdate = async () =>
      expect(consenters(await config(1))[1]).toMatchObject({ ...node.address, ...certificates });
    await eventually(hasUpdate);
    await node.restart({ tls });
    await eventually(hasUpdate);
    // SmartBFT does not send again what was lost while a node restarted: it catches up with what comes after.
    await changed("meanwhile", [orderer(0)]);
    expect(await changed("rotated")).toEqual(orderers.map(() => "rotated"));
    expect(await ordererChannel(node.admin, channel)).toMatchObject({
      consensusRelation: "consenter",
      status: "active",
    });
  });

  /** Makes a change that these orderers have to have in the end; gives what each has. */
  async function changed(
    host: string,
    witnesses: readonly TestNode[] = orderers,
  ): Promise<readonly (string | undefined)[]> {
    await commitConfigChange(connected(orderer(0), org1), {
      channel,
      what: "setting anchor peers",
      change: (current) => setAnchorPeers(current, "Org1MSP", [{ host, port: 7051 }]),
    });
    return Promise.all(
      witnesses.map((node) =>
        eventually(async () => {
          const [anchor] = anchorPeers(await config(orderers.indexOf(node)), "Org1MSP");
          if (anchor?.host !== host) throw new Error(`${node.name} has anchor peer ${anchor?.host}`);
          return anchor.host;
        }, 90_000),
      ),
    );
  }
});
