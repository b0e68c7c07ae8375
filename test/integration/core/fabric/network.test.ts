import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { common } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect, onTestFailed } from "vitest";
import { defaultEndorsementPolicyBytes } from "../../../../core/fabric/chaincode/chaincode-definition.ts";
import type { ChaincodePackage } from "../../../../core/fabric/package/chaincode-package.ts";
import { packageChaincodeFolder } from "../../../../core/fabric/package/chaincode-source.ts";
import {
  joinOrderer,
  ordererChannel,
  ordererChannels,
  removeOrderer,
} from "../../../../core/fabric/channel/channel-participation.ts";
import { type ChannelConfig, configOf } from "../../../../core/fabric/channel/config.ts";
import { anchorPeers, consenters, setAnchorPeers } from "../../../../core/fabric/channel/config-change.ts";
import { blockEntries } from "../../../../core/fabric/node/block.ts";
import { commitConfigChange } from "../../../commit-config-change.ts";
import { collectionsBytes } from "../../../../core/fabric/chaincode/collections.ts";
import { parseEndorsementPolicy } from "../../../../core/fabric/policy/endorsement-policy.ts";
import { fetchBlock, fetchConfigBlock } from "../../../../core/fabric/node/deliver.ts";
import { openGateway } from "../../../../core/fabric/node/gateway.ts";
import {
  approvedDefinition,
  approveDefinition,
  commitDefinition,
  commitReadiness,
  committedDefinition,
  committedDefinitions,
  installChaincode,
  installedChaincodes,
  installedPackage,
} from "../../../../core/fabric/chaincode/lifecycle.ts";
import type { NodeClient } from "../../../../core/fabric/node/node-client.ts";
import { connectNode, type NodeConnection } from "../../../../core/fabric/node/node-connection.ts";
import {
  chainInfo,
  joinPeer,
  peerBlock,
  peerChannels,
  peerConfigBlock,
} from "../../../../core/fabric/channel/peer-channels.ts";
import { eventually } from "./eventually.ts";
import { issueEnrolmentCertificate } from "../../../../core/fabric/identity/certificate-authority.ts";
import { newSigningIdentity } from "../../../../core/fabric/identity/signing-identity.ts";
import { emulatorRelease, releases, tool } from "./fabric-release.ts";
import {
  newOrganization,
  fabricNodes,
  writeFiles,
  type FabricNodes,
  type TestNode,
  type TestOrganization,
} from "./fabric-nodes.ts";
import { channel, genesisOf } from "./test-channel.ts";
import { newStory } from "../../../story.ts";
import { typedAs } from "../../../typed-as.ts";

const chaincodeFolder = join(import.meta.dirname, "../../../chaincode/asset-transfer");
describe.each(releases.map((release) => ({ version: release.version, release })))(
  "a Fabric $version network",
  ({ release }) => {
    let fabric: FabricNodes;
    let ordererOrg: TestOrganization;
    let org1: TestOrganization;
    let org2: TestOrganization;
    let orderers: readonly TestNode[];
    let peers: readonly [TestNode, TestNode];
    let connections: NodeConnection[] = [];
    let orderer: NodeClient;
    let peer1: NodeClient;
    let peer2: NodeClient;
    let genesis: common.Block;
    let chaincode: ChaincodePackage;

    const connected = (node: TestNode, { admin: identity }: TestOrganization): NodeClient => {
      const connection = connectNode(node.endpoint);
      connections.push(connection);
      return { connection, identity };
    };

    const test = newStory();

    beforeAll(async () => {
      [ordererOrg, org1, org2] = await Promise.all([
        newOrganization("OrdererMSP", "orderers"),
        newOrganization("Org1MSP", "org1"),
        newOrganization("Org2MSP", "org2"),
      ]);
      fabric = await fabricNodes(release);
      orderers = await Promise.all(
        ["orderer0", "orderer1", "orderer2"].map((name) => fabric.startOrderer(ordererOrg, name)),
      );
      peers = await Promise.all([fabric.startPeer(org1, "peer0"), fabric.startPeer(org2, "peer0")]);
      orderer = connected(first(orderers), org1);
      [peer1, peer2] = [connected(peers[0], org1), connected(peers[1], org2)];
      genesis = genesisOf("raft", orderers, [org1, org2]);
    });

    afterAll(async () => {
      for (const connection of connections) connection.close();
      connections = [];
      await fabric?.stop();
    });

    /** Logs of what went wrong are gone with the folder: show their ends. */
    const showLogs = () =>
      onTestFailed(async () => {
        for (const node of [...orderers, ...peers]) {
          console.error(`--- ${node.name}.${node.organization.domain}\n${(await node.log()).slice(-2500)}`);
        }
      });

    test("joins orderers by channel participation, once", async () => {
      showLogs();
      expect(await ordererChannels(first(orderers).admin)).toEqual([]);
      expect(await ordererChannel(first(orderers).admin, channel)).toBeUndefined();
      expect(await Promise.all(orderers.map(({ admin }) => joinOrderer(admin, genesis)))).toEqual([true, true, true]);
      expect(await joinOrderer(first(orderers).admin, genesis)).toBe(false);
      expect(await ordererChannels(first(orderers).admin)).toEqual([channel]);
      expect(await ordererChannel(first(orderers).admin, channel)).toMatchObject({
        name: channel,
        consensusRelation: "consenter",
        status: "active",
      });
    });

    test("delivers its genesis block as we made it", async () => {
      showLogs();
      const block = await eventually(() => fetchBlock(orderer, "orderer", channel, "oldest"));
      expect(Buffer.from(block.getData()?.serializeBinary() ?? [])).toEqual(
        Buffer.from(genesis.getData()?.serializeBinary() ?? []),
      );
      expect(configOf(block).channel).toBe(channel);
    });

    test("joins peers, once", async () => {
      showLogs();
      expect(await peerChannels(peer1)).toEqual([]);
      expect(await joinPeer(peer1, genesis)).toBe(true);
      expect(await joinPeer(peer2, genesis)).toBe(true);
      expect(await joinPeer(peer1, genesis)).toBe(false);
      expect(await peerChannels(peer1)).toEqual([channel]);
      expect(configOf(await peerConfigBlock(peer1, channel)).channel).toBe(channel);
    });

    test("takes anchor peers by a config update", async () => {
      showLogs();
      for (const [organization, node] of [
        [org1, peers[0]],
        [org2, peers[1]],
      ] as const) {
        const change = {
          channel,
          what: "setting anchor peers",
          change: (current: ChannelConfig) => setAnchorPeers(current, organization.mspId, [node.address]),
        };
        const sender = { ...orderer, identity: organization.admin };
        expect(await commitConfigChange(sender, change)).toBe(true);
        expect(await commitConfigChange(sender, change)).toBe(false);
      }
      const config = await eventually(async () => {
        const committed = configOf(await fetchConfigBlock(peer1, "peer", channel));
        expect(anchorPeers(committed, "Org2MSP")).toEqual([peers[1].address]);
        return committed;
      });
      expect(anchorPeers(config, "Org1MSP")).toEqual([peers[0].address]);
      expect(consenters(config)).toHaveLength(3);
    });

    test("installs a package, once, and gives it back", async () => {
      showLogs();
      chaincode = await packageChaincodeFolder(chaincodeFolder, "assets_1.0");
      expect(await installedChaincodes(peer1)).toEqual([]);
      expect(await installChaincode(peer1, chaincode)).toBe(true);
      expect(await installChaincode(peer2, chaincode)).toBe(true);
      expect(await installChaincode(peer1, chaincode)).toBe(false);
      expect(await installedChaincodes(peer1)).toEqual([
        { packageId: chaincode.id, label: "assets_1.0", references: [] },
      ]);
      const back = await installedPackage(peer1, chaincode.id);
      expect(Buffer.compare(back ?? new Uint8Array(), chaincode.bytes)).toBe(0);
      expect(await installedPackage(peer1, `assets_1.0:${"0".repeat(64)}`)).toBeUndefined();
    });

    const definition = {
      name: "assets",
      version: "1.0",
      sequence: 1,
      endorsementPolicy: defaultEndorsementPolicyBytes(),
      collections: new Uint8Array(),
      initRequired: false,
    };

    test("approves and commits a definition", async () => {
      showLogs();
      const gateway = openGateway(peer1);
      const gateway2 = openGateway(peer2);
      expect(await committedDefinition(peer1, channel, "assets")).toBeUndefined();
      expect(await approvedDefinition(peer1, channel, { name: "assets", sequence: 1 })).toBeUndefined();
      expect(await approveDefinition(gateway, channel, "Org1MSP", definition, chaincode.id)).toBeDefined();
      expect(await approveDefinition(gateway, channel, "Org1MSP", definition, chaincode.id)).toBeUndefined();
      expect((await commitReadiness(peer1, channel, definition)).approvals).toEqual(
        new Map([
          ["Org1MSP", true],
          ["Org2MSP", false],
        ]),
      );
      await approveDefinition(gateway2, channel, "Org2MSP", definition, chaincode.id);
      const approved = await approvedDefinition(peer1, channel, { name: "assets" });
      expect(approved).toEqual({ ...definition, packageId: chaincode.id });
      await eventually(() => commitDefinition(gateway, channel, ["Org1MSP", "Org2MSP"], definition));
      expect(await committedDefinition(peer1, channel, "assets")).toEqual({
        ...definition,
        approvals: new Map([
          ["Org1MSP", true],
          ["Org2MSP", true],
        ]),
      });
      expect(await committedDefinitions(peer1, channel)).toEqual([definition]);
      gateway.close();
      gateway2.close();
    });

    test("submits, evaluates and announces", async () => {
      showLogs();
      const gateway = openGateway(peer1);
      const { height } = await chainInfo(peer1, channel);
      const last = await peerBlock(peer1, channel, height - 1);
      expect(blockEntries(last)[0]?.channelHeader.getChannelId()).toBe(channel);
      const events = await gateway.chaincodeEvents(channel, "assets", BigInt(height));
      const call = (name: string, ...args: readonly string[]) => ({
        channel,
        chaincode: "assets",
        function: name,
        arguments: args,
      });
      const created = await eventually(() => gateway.submit(call("CreateAsset", "a1", "Ann", "5")));
      expect(text(created.result)).toBe('{"id":"a1","owner":"Ann","value":5}');
      expect(text(await gateway.evaluate(call("ListAssets", "", "")))).toBe('[{"id":"a1","owner":"Ann","value":5}]');
      const received = await events[Symbol.asyncIterator]().next();
      expect(received.value).toMatchObject({ eventName: "AssetCreated", transactionId: created.transactionId });
      events.close();

      await expect(gateway.evaluate(call("ReadAsset", "nobody"))).rejects.toMatchObject({
        code: "chaincode",
        message: expect.stringContaining("the asset nobody does not exist"),
      });
      await expect(gateway.submit(call("CreateAsset", "a1", "Ann", "5"))).rejects.toMatchObject({
        code: "chaincode",
        message: expect.stringMatching(/localhost:\d+ \(Org\dMSP\): .*the asset a1 already exists/),
      });
      await expect(gateway.evaluate({ ...call("ReadAsset", "a1"), chaincode: "other" })).rejects.toMatchObject({
        code: "not-ready",
        message: expect.stringContaining("no peers available to evaluate chaincode other"),
        hint: typedAs(expect.stringContaining("kubectl fabric deploy-cc")),
      });
      await expect(
        gateway.submit(call("CreateAsset", "a2", "Ann", "5"), { signal: AbortSignal.abort() }),
      ).rejects.toMatchObject({ code: "interrupted" });
      gateway.close();
    });

    // Org1 alone is enough, so that Org2 can do without a package.
    const upgradePolicy =
      "OutOf(1, AND('Org1MSP.peer', 'Org2MSP.peer'), 'Org1MSP.peer', OR('Org2MSP.admin', \"Org2MSP.peer\"))";
    const upgradeCollections = [
      {
        name: "secrets",
        policy: "OR('Org1MSP.member', 'Org2MSP.member')",
        requiredPeerCount: 0,
        maxPeerCount: 1,
        blockToLive: 5,
        memberOnlyRead: true,
        memberOnlyWrite: true,
        endorsementPolicy: { signaturePolicy: "AND('Org1MSP.peer', 'Org2MSP.peer')" },
      },
      { name: "open", policy: "OR('Org1MSP.member')", requiredPeerCount: 0, maxPeerCount: 0 },
    ];

    async function readinessByPeerCommand(): Promise<unknown> {
      const folder = join(fabric.folder, "command");
      await writeFiles(folder, {
        ...Object.fromEntries(Object.entries(org1.adminMsp).map(([path, content]) => [`msp/${path}`, content])),
        "tlsca.pem": org1.tls.certificate,
        "collections.json": JSON.stringify(upgradeCollections),
      });
      const env = {
        PATH: process.env["PATH"],
        FABRIC_CFG_PATH: join(release.home, "config"),
        CORE_PEER_LOCALMSPID: "Org1MSP",
        CORE_PEER_MSPCONFIGPATH: join(folder, "msp"),
        CORE_PEER_ADDRESS: `localhost:${peers[0].address.port}`,
        CORE_PEER_TLS_ENABLED: "true",
        CORE_PEER_TLS_ROOTCERT_FILE: join(folder, "tlsca.pem"),
      };
      const terms = ["-n", "assets", "-v", "2.0", "--sequence", "2", "--signature-policy", upgradePolicy];
      const collections = ["--collections-config", join(folder, "collections.json")];
      const args = [
        "lifecycle",
        "chaincode",
        "checkcommitreadiness",
        "-C",
        channel,
        ...terms,
        ...collections,
        "-O",
        "json",
      ];
      const { stdout } = await promisify(execFile)(tool(release, "peer"), args, { env });
      return JSON.parse(stdout) as unknown;
    }

    test("upgrades to another policy with a private data collection, and shows just what was agreed", async () => {
      showLogs();
      const upgrade = {
        ...definition,
        version: "2.0",
        sequence: 2,
        endorsementPolicy: parseEndorsementPolicy(upgradePolicy).serializeBinary(),
        collections: collectionsBytes(upgradeCollections),
      };
      const [gateway, gateway2] = [openGateway(peer1), openGateway(peer2)];
      await approveDefinition(gateway, channel, "Org1MSP", { ...upgrade, version: "1.9" }, chaincode.id);
      const readiness = await commitReadiness(peer1, channel, upgrade);
      expect(readiness.approvals.get("Org1MSP")).toBe(false);
      // Only Fabric 3 tells what differs.
      expect([undefined, ["EndorsementInfo"]]).toContainEqual(readiness.mismatches.get("Org1MSP"));
      await expect(commitDefinition(gateway, channel, ["Org1MSP", "Org2MSP"], upgrade)).rejects.toMatchObject({
        message: expect.stringContaining("chaincode definition not agreed to by this org"),
      });
      await approveDefinition(gateway, channel, "Org1MSP", upgrade, chaincode.id);
      await approveDefinition(gateway2, channel, "Org2MSP", upgrade, undefined);
      // The same terms in words make the same bytes in Fabric's own tool, or it would not see our approvals.
      const own = async () => ({
        approvals: Object.fromEntries((await commitReadiness(peer1, channel, upgrade)).approvals),
      });
      // Org2 has its approval's block from its own peer; the other may still be waiting for it.
      await eventually(async () => {
        const ready = await (release === emulatorRelease ? own() : readinessByPeerCommand());
        expect(ready).toEqual({ approvals: { Org1MSP: true, Org2MSP: true } });
      });
      await eventually(() => commitDefinition(gateway, channel, ["Org1MSP", "Org2MSP"], upgrade));
      expect(await committedDefinition(peer1, channel, "assets")).toMatchObject(upgrade);
      expect(await approvedDefinition(peer2, channel, { name: "assets" })).toEqual({
        ...upgrade,
        packageId: undefined,
      });
      const read = { channel, chaincode: "assets", function: "ReadAsset", arguments: ["a1"] };
      expect(text(await eventually(() => gateway.evaluate(read)))).toContain('"owner":"Ann"');
      const transfer = { channel, chaincode: "assets", function: "TransferAsset", arguments: ["a1", "Bob"] };
      expect(text((await eventually(() => gateway.submit(transfer))).result)).toBe("Ann");
      // Org2's peer endorses, too, and nothing above has waited for it.
      await eventually(async () => expect(await committedDefinition(peer2, channel, "assets")).toMatchObject(upgrade));
      await expect(
        commitDefinition(gateway, channel, ["Org1MSP", "Org2MSP"], { ...upgrade, sequence: 9 }),
      ).rejects.toMatchObject({ message: expect.stringContaining("new definition must be sequence 3") });
      const [{ references } = { references: [] }] = await installedChaincodes(peer1);
      expect(references).toEqual([{ channel, name: "assets", version: "2.0" }]);
      gateway.close();
      gateway2.close();
    });

    test("says clearly what it refuses", async () => {
      showLogs();
      await expect(joinPeer({ ...peer1, identity: org2.admin }, genesis)).rejects.toMatchObject({
        code: "rejected",
        hint: expect.stringContaining("another identity"),
      });
      await expect(fetchConfigBlock(orderer, "orderer", "nochannel")).rejects.toMatchObject({
        code: "not-found",
      });
      await expect(chainInfo(peer1, "nochannel")).rejects.toMatchObject({ code: "not-found" });
      const yesterday = new Date(Date.now() - 48 * 3_600_000);
      const request = { commonName: "old", role: "admin", now: yesterday, days: 1 } as const;
      const expired = newSigningIdentity("Org1MSP", await issueEnrolmentCertificate(org1.enrolment, request));
      await expect(peerChannels({ ...peer1, identity: expired })).rejects.toMatchObject({
        code: "rejected",
        hint: typedAs(expect.stringContaining("kubectl fabric status")),
      });
      const stranger = await newOrganization("Org1MSP", "org1");
      await expect(
        fetchBlock({ ...orderer, identity: stranger.admin }, "orderer", channel, "newest"),
      ).rejects.toMatchObject({
        code: "rejected",
      });
      const foreign = {
        channel,
        what: "setting another's anchor peers",
        change: (current: ChannelConfig) => setAnchorPeers(current, "Org2MSP", []),
      };
      await expect(commitConfigChange(orderer, foreign)).rejects.toMatchObject({ code: "rejected" });
    });

    test("verifies whom it talks to, and shows who we are", async () => {
      showLogs();
      const other = { ...first(orderers).admin, serverName: "orderer9.orderers" };
      await expect(ordererChannels(other)).rejects.toMatchObject({
        code: "connection",
        message: expect.stringContaining("altnames"),
      });
      const { client: _, ...anonymous } = first(orderers).admin;
      await expect(ordererChannels(anonymous)).rejects.toMatchObject({ code: "connection" });
      const strange = connectNode({ ...peers[0].endpoint, tlsRootCertificates: org2.tls.certificate });
      await expect(peerChannels({ connection: strange, identity: org1.admin, timeout: 3000 })).rejects.toMatchObject({
        code: "connection",
        hint: typedAs(expect.stringContaining("TLS certificate")),
      });
      strange.close();
      const nobody = connectNode({ ...peers[0].endpoint, port: 1 });
      await expect(peerChannels({ connection: nobody, identity: org1.admin, timeout: 3000 })).rejects.toMatchObject({
        code: "connection",
      });
      nobody.close();
    });

    test("removes an orderer from the channel, once", async () => {
      showLogs();
      const last = orderers[2] ?? first(orderers);
      expect(await removeOrderer(last.admin, channel)).toBe(true);
      await eventually(async () => expect(await removeOrderer(last.admin, channel)).toBe(false));
      expect(await ordererChannels(last.admin)).toEqual([]);
    });
  },
);

function first<Item>(items: readonly Item[]): Item {
  const [item] = items;
  if (item === undefined) throw new Error("expected an item");
  return item;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
