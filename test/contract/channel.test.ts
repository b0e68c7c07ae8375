import { request } from "node:https";
import { common, orderer, peer } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { addPeerOrganization, anchorPeers, setAnchorPeers } from "../../core/fabric/channel/config-change.ts";
import { configOf, groupAt, organizationsOf } from "../../core/fabric/channel/config.ts";
import { mspDefinition } from "../../core/fabric/identity/msp.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { broadcast, type SignerOf } from "../integration/emulator/network/config-update.ts";
import {
  channelId,
  eventually,
  participate,
  type Network,
  type OrdererNode,
  type ParticipationAnswer,
  type PeerNode,
} from "../integration/emulator/network/network.ts";
import { newOrganization, type Organization } from "../integration/emulator/network/organization.ts";
import { compareAnswers } from "./answers/recording.ts";
import { changeChannel, currentConfig, updateEnvelope } from "./channel-change.ts";
import { columns, startColumn } from "./column.ts";
import { deliverFromOrderer, deliverFromPeer, numbersOf, type Seek } from "./deliver.ts";
import { newStory } from "../story.ts";

const { Status } = common;

describe.each(columns)("$name", (column) => {
  const { missing } = column;
  let network: Network;
  let orderers: readonly [OrdererNode, OrdererNode, OrdererNode];
  let org1: PeerNode;
  let org2: PeerNode;
  let stranger: Organization;
  let admins: {
    readonly orderer: SignerOf;
    readonly org1: SignerOf;
    readonly org2: SignerOf;
    readonly stranger: SignerOf;
  };

  const test = newStory();

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) {
      return;
    }
    network = await startColumn(column);
    orderers = network.orderers as unknown as typeof orderers;
    [org1, org2] = network.peers as [PeerNode, PeerNode];
    stranger = await newOrganization(network.directory, "Org3MSP");
    const adminOf = ({ mspId, admin }: Organization): SignerOf => ({ mspId, pair: admin });
    admins = {
      orderer: adminOf(network.ordererOrganization),
      org1: adminOf(org1.organization),
      org2: adminOf(org2.organization),
      stranger: adminOf(stranger),
    };
  });

  afterAll(() => network?.stop());

  const call = (method: string, path = "", block?: Buffer, node = orderers[0]): Promise<ParticipationAnswer> =>
    participate(node, network.ordererOrganization, method, path, block);

  const info = (height: number, status = "active"): object => ({
    name: channelId,
    url: "/participation/v1/channels/mychannel",
    consensusRelation: "consenter",
    status,
    height,
  });

  describe.skipIf(missing)("channel participation", () => {
    test("lists no channels before any is joined", async () => {
      expect(await call("GET")).toEqual({ status: 200, body: { systemChannel: null, channels: null } });
    });

    test("answers 404 for an unknown channel", async () => {
      expect(await call("GET", "/other")).toEqual({ status: 404, body: { error: "channel does not exist" } });
      expect(await call("DELETE", "/other")).toEqual({
        status: 404,
        body: { error: "cannot remove: channel does not exist" },
      });
    });

    test("refuses what is no configuration block", async () => {
      expect(await call("POST", "", Buffer.alloc(0))).toEqual({
        status: 400,
        body: { error: "invalid join block: block is not a config block" },
      });
      const garbage = await call("POST", "", Buffer.from("no block"));
      expect(garbage.status).toBe(400);
      expect(garbage.body).toEqual({ error: expect.stringContaining("cannot unmarshal file part config-block") });
    });

    test("refuses other methods", async () => {
      expect(await call("PATCH")).toEqual({ status: 405, body: { error: "invalid request method: PATCH" } });
    });

    test("refuses clients without a certificate", async () => {
      const { adminPort } = orderers[0];
      const ca = network.ordererOrganization.tlsCa.certificate;
      const failure = await new Promise((resolve, reject) => {
        const sent = request({ host: "localhost", port: adminPort, path: "/participation/v1/channels", ca }, reject);
        sent.once("error", resolve).end();
      });
      expect(failure).toMatchObject({ code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" });
    });

    test("joins orderers", async () => {
      for (const node of orderers) {
        expect(await call("POST", "", network.genesis, node)).toEqual({ status: 201, body: info(1) });
      }
    });

    test("refuses to join twice", async () => {
      expect(await call("POST", "", network.genesis)).toEqual({
        status: 405,
        body: { error: "cannot join: channel already exists" },
      });
    });

    test("lists and describes the channel", async () => {
      expect(await call("GET")).toEqual({
        status: 200,
        body: { systemChannel: null, channels: [{ name: channelId, url: "/participation/v1/channels/mychannel" }] },
      });
      expect(await call("GET", "/mychannel")).toEqual({ status: 200, body: info(1) });
    });
  });

  const respond = async (
    node: PeerNode,
    chaincode: string,
    ...args: readonly (string | Uint8Array)[]
  ): Promise<peer.Response> => (await propose(node, { chaincode, args })).getResponse() ?? new peer.Response();

  describe.skipIf(missing)("cscc", () => {
    test("joins a peer", async () => {
      for (const node of network.peers) {
        expect((await respond(node, "cscc", "JoinChain", network.genesis)).getStatus()).toBe(200);
      }
    });

    test("refuses to join twice", async () => {
      const response = await respond(org1, "cscc", "JoinChain", network.genesis);
      expect([response.getStatus(), response.getMessage()]).toEqual([
        500,
        "cannot create ledger from genesis block: ledger [mychannel] already exists with state [ACTIVE]",
      ]);
    });

    test("refuses what is no block", async () => {
      const response = await respond(org1, "cscc", "JoinChain", Buffer.from("no block"));
      expect(response.getStatus()).toBe(500);
      expect(response.getMessage()).toContain("Failed to reconstruct the genesis block");
    });

    test("lists the channels of a peer", async () => {
      const { payload } = (await respond(org1, "cscc", "GetChannels")).toObject();
      const channels = peer.ChannelQueryResponse.deserializeBinary(Buffer.from(payload as string, "base64"));
      expect(channels.toObject()).toEqual({ channelsList: [{ channelId }] });
    });

    test("gives the configuration block", async () => {
      const response = await respond(org1, "cscc", "GetConfigBlock", channelId);
      const block = common.Block.deserializeBinary(response.getPayload_asU8());
      expect(Buffer.from(block.getData()?.serializeBinary() ?? [])).toEqual(
        Buffer.from(common.Block.deserializeBinary(network.genesis).getData()?.serializeBinary() ?? []),
      );
    });

    test("lets only administrators join channels", async () => {
      const signer = await org1.organization.ca.issue({ commonName: "user", unit: "client" });
      const answer = await propose(org1, { chaincode: "cscc", args: ["JoinChain", network.genesis], signer });
      expect(answer.getResponse()?.getMessage()).toContain("access denied for [JoinChain][mychannel]");
    });
  });

  describe.skipIf(missing)("qscc", () => {
    test("tells height and hash of the chain", async () => {
      const response = await respond(org1, "qscc", "GetChainInfo", channelId);
      const chain = common.BlockchainInfo.deserializeBinary(response.getPayload_asU8());
      expect(chain.getHeight()).toBe(1);
      expect(chain.getCurrentblockhash_asU8()).toHaveLength(32);
    });

    test("gives a block by its number", async () => {
      const response = await respond(org1, "qscc", "GetBlockByNumber", channelId, "0");
      expect(common.Block.deserializeBinary(response.getPayload_asU8()).getHeader()?.getNumber()).toBe(0);
    });

    test("has no block that is not there", async () => {
      const response = await respond(org1, "qscc", "GetBlockByNumber", channelId, "99");
      expect([response.getStatus(), response.getMessage()]).toEqual([
        500,
        "Failed to get block number 99, error no such block number [99] in index",
      ]);
    });

    test("knows no other channel", async () => {
      const response = await respond(org1, "qscc", "GetChainInfo", "other");
      expect([response.getStatus(), response.getMessage()]).toEqual([500, "Invalid chain ID, other"]);
    });
  });

  describe.skipIf(missing)("deliver of an orderer", () => {
    const deliver = (seek: Seek, signer = admins.orderer): ReturnType<typeof deliverFromOrderer> =>
      deliverFromOrderer(network, orderers[0], signer, seek);

    test("gives the oldest, the newest and a specified block", async () => {
      await eventually("a leader", async () =>
        (await deliver({ start: "oldest" })).status === Status.SUCCESS ? true : undefined,
      );
      for (const start of ["oldest", "newest", 0] as const) {
        const delivered = await deliver({ start });
        expect([numbersOf(delivered), delivered.status]).toEqual([[0], Status.SUCCESS]);
      }
    });

    test("answers NOT_FOUND for a block that is not there, and for an unknown channel", async () => {
      expect(await deliver({ start: 99 })).toMatchObject({ blocks: [], status: Status.NOT_FOUND });
      expect(await deliver({ start: "newest", channel: "other" })).toMatchObject({ status: Status.NOT_FOUND });
    });

    test("answers FORBIDDEN to a stranger", async () => {
      expect(await deliver({ start: "oldest" }, admins.stranger)).toMatchObject({
        blocks: [],
        status: Status.FORBIDDEN,
      });
    });

    test("answers BAD_REQUEST for a range that runs backwards", async () => {
      expect(await deliver({ start: 1, stop: 0 })).toMatchObject({ blocks: [], status: Status.BAD_REQUEST });
    });
  });

  describe.skipIf(missing)("config update", () => {
    const refused = "error applying config update to existing channel 'mychannel': error authorizing update";
    const anchors = [{ host: "peer0.org1", port: 7051 }];

    test("sets anchor peers, and a waiting reader gets the block", async () => {
      const waiting = deliverFromOrderer(network, orderers[1], admins.org1, { start: 1, wait: true });
      const answer = await changeChannel(network, (config) => setAnchorPeers(config, "Org1MSP", anchors), [
        admins.org1,
      ]);
      expect(answer).toEqual({ status: Status.SUCCESS, info: "" });
      expect(anchorPeers(await currentConfig(network), "Org1MSP")).toEqual(anchors);
      expect(numbersOf(await waiting)).toEqual([1]);
    });

    test("refuses a wrong version", async () => {
      const before = await currentConfig(network);
      const after = setAnchorPeers(before, "Org2MSP", anchors);
      const stale = await updateEnvelope(before, after, [admins.org2]);
      const change = await changeChannel(network, () => after, [admins.org2]);
      expect(change.status).toBe(Status.SUCCESS);
      const answer = await broadcast(network, orderers[0], stale);
      expect([answer.status, answer.info]).toEqual([
        Status.BAD_REQUEST,
        `${refused}: error validating DeltaSet: attempt to set key [Value]  /Channel/Application/Org2MSP/AnchorPeers to version 1, but key is at version 1`,
      ]);
    });

    test("refuses a change that too few have signed", async () => {
      const before = await currentConfig(network);
      const after = setAnchorPeers(before, "Org2MSP", []);
      const answer = await broadcast(network, orderers[0], await updateEnvelope(before, after, [admins.org1]));
      expect([answer.status, answer.info]).toEqual([
        Status.BAD_REQUEST,
        `${refused}: error validating DeltaSet: policy for [Value]  /Channel/Application/Org2MSP/AnchorPeers not satisfied: signature set did not satisfy policy`,
      ]);
    });

    test("refuses a stranger's message", async () => {
      const before = await currentConfig(network);
      const after = setAnchorPeers(before, "Org1MSP", []);
      const answer = await broadcast(network, orderers[0], await updateEnvelope(before, after, [admins.stranger]));
      expect([answer.status, answer.info]).toEqual([
        Status.FORBIDDEN,
        "config update for existing channel did not pass initial checks: implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Writers' sub-policies to be satisfied: permission denied",
      ]);
    });

    test("adds an organization, whose members can read from then on", async () => {
      const msp = mspDefinition("Org3MSP", stranger.ca.certificate, stranger.tlsCa.certificate);
      const add = (config: Parameters<typeof addPeerOrganization>[0]): ReturnType<typeof addPeerOrganization> =>
        addPeerOrganization(config, { msp });
      expect((await changeChannel(network, add, [admins.org1, admins.org2])).status).toBe(Status.SUCCESS);
      expect(organizationsOf((await currentConfig(network)).config, "application")).toEqual([
        "Org1MSP",
        "Org2MSP",
        "Org3MSP",
      ]);
      const delivered = await deliverFromOrderer(network, orderers[0], admins.stranger, { start: "newest" });
      expect(delivered.status).toBe(Status.SUCCESS);
    });

    test("changes the batch size", async () => {
      const change = (config: Parameters<typeof addPeerOrganization>[0]): typeof config => {
        const value = groupAt(config.config, ["Orderer"]).getValuesMap().get("BatchSize");
        const size = orderer.BatchSize.deserializeBinary(value?.getValue_asU8() ?? new Uint8Array());
        size.setMaxMessageCount(5);
        value?.setValue(size.serializeBinary());
        return config;
      };
      expect((await changeChannel(network, change, [admins.orderer])).status).toBe(Status.SUCCESS);
      const value = groupAt((await currentConfig(network)).config, ["Orderer"])
        .getValuesMap()
        .get("BatchSize");
      expect(orderer.BatchSize.deserializeBinary(value?.getValue_asU8() ?? new Uint8Array()).getMaxMessageCount()).toBe(
        5,
      );
    });
  });

  describe.skipIf(missing)("deliver of a peer", () => {
    const deliver = (seek: Seek, signer = admins.org1): ReturnType<typeof deliverFromPeer> =>
      deliverFromPeer(org1, signer, seek);

    test("gives the blocks that orderers made, waiting for them", async () => {
      const delivered = await deliver({ start: "oldest", stop: 4, wait: true });
      expect([numbersOf(delivered), delivered.status]).toEqual([[0, 1, 2, 3, 4], Status.SUCCESS]);
      const config = configOf(delivered.blocks[4] ?? new common.Block());
      expect(config.config.getSequence()).toBe(4);
      expect(numbersOf(await deliver({ start: "newest" }))).toEqual([4]);
    });

    test("gives filtered blocks", async () => {
      const { filtered, status } = await deliverFromPeer(org1, admins.org1, { start: 1, stop: 2 }, "deliverFiltered");
      expect(status).toBe(Status.SUCCESS);
      expect(filtered.map((block) => [block.getChannelId(), block.getNumber()])).toEqual([
        [channelId, 1],
        [channelId, 2],
      ]);
      expect(filtered[0]?.getFilteredTransactionsList()[0]?.toObject()).toMatchObject({
        type: common.HeaderType.CONFIG,
        txValidationCode: peer.TxValidationCode.VALID,
      });
    });

    test("answers NOT_FOUND for a block that is not there, and for an unknown channel", async () => {
      expect(await deliver({ start: 99 })).toMatchObject({ blocks: [], status: Status.NOT_FOUND });
      expect(await deliver({ start: "newest", channel: "other" })).toMatchObject({ status: Status.NOT_FOUND });
    });

    test("answers FORBIDDEN to a stranger", async () => {
      const outsider = await newOrganization(network.directory, "Org4MSP");
      const answer = await deliver({ start: "oldest" }, { mspId: "Org4MSP", pair: outsider.admin });
      expect(answer).toMatchObject({ blocks: [], status: Status.FORBIDDEN });
    });
  });

  describe.skipIf(missing)("leaving", () => {
    test("removes an orderer from the channel", async () => {
      expect(await call("DELETE", "/mychannel", undefined, orderers[2])).toEqual({ status: 204, body: undefined });
      await eventually("its end", async () =>
        (await call("GET", "/mychannel", undefined, orderers[2])).status === 404 ? true : undefined,
      );
      expect(await call("GET", "", undefined, orderers[2])).toEqual({
        status: 200,
        body: { systemChannel: null, channels: null },
      });
    });
  });
});
