import { describe, expect, test } from "vitest";
import { bftQuorum } from "../../../../../core/fabric/channel/bft.ts";
import { blockDataHash, lastConfigIndex, readBlock } from "../../../../../core/fabric/node/block.ts";
import { configOf, organizationsOf } from "../../../../../core/fabric/channel/config.ts";
import { channelGroup, genesisBlock, type ChannelGenesis } from "../../../../../core/fabric/channel/genesis.ts";
import { bftChannel, fixtureMsp, raftChannel } from "../channel-fixture.ts";
import { groupJson } from "../config-json.ts";

const moment = { now: new Date("2026-03-01T12:00:00.789Z"), nonce: new Uint8Array(24).fill(7) };
const golden = (channel: ChannelGenesis) => `${JSON.stringify(groupJson(channelGroup(channel)), null, 2)}\n`;

describe("a genesis block", () => {
  test("for Raft is what the test network has", async () => {
    await expect(golden(raftChannel)).toMatchFileSnapshot("golden/genesis-raft.json");
  });

  test("for BFT names consenters, and lets a quorum of them sign blocks", async () => {
    await expect(golden(bftChannel)).toMatchFileSnapshot("golden/genesis-bft.json");
  });

  test("is the same for the same input", () => {
    const bytes = (now: Date) => Buffer.from(genesisBlock(raftChannel, { ...moment, now }).serializeBinary());
    expect(bytes(moment.now)).toEqual(bytes(new Date("2026-03-01T12:00:00.123Z")));
    expect(bytes(moment.now)).not.toEqual(bytes(new Date("2026-03-01T12:00:01Z")));
  });

  test("reads back: number 0, its own configuration, the right hash", () => {
    const block = readBlock(genesisBlock(raftChannel, moment).serializeBinary());
    const { channel, config } = configOf(block);
    expect(channel).toBe("mychannel");
    expect(organizationsOf(config, "application")).toEqual(["Org1MSP", "Org2MSP"]);
    expect(organizationsOf(config, "orderer")).toEqual(["OrdererMSP"]);
    expect(lastConfigIndex(block)).toBe(0);
    const data = block.getData();
    expect(data && Buffer.from(blockDataHash(data)).toString("hex")).toBe(
      Buffer.from(block.getHeader()?.getDataHash_asU8() ?? []).toString("hex"),
    );
  });

  test("takes policies, access control and batches of one's own", () => {
    const json = golden({
      ...raftChannel,
      batch: { timeout: "1s", maxMessageCount: 7 },
      applicationPolicies: { Endorsement: "ANY Endorsement", Auditors: "OR('Org1MSP.admin')" },
      accessControl: { "peer/Propose": "/Channel/Application/Auditors" },
    });
    expect(json).toContain('"timeout": "1s"');
    expect(json).toContain('"maxMessageCount": 7');
    expect(json).toContain('"policy": "ANY Endorsement"');
    expect(json).toContain("peer/Propose");
  });

  test.each([
    ["a bad channel name", { name: "MyChannel" }, 'found "MyChannel"'],
    ["a channel name that is too long", { name: "a".repeat(250) }, "at most 249 characters"],
    [
      "organizations of one name",
      { peerOrganizations: [{ msp: fixtureMsp("A") }, { msp: fixtureMsp("A") }] },
      "found A twice",
    ],
    [
      "two definitions of one MSP",
      { peerOrganizations: [{ msp: { ...fixtureMsp("OrdererMSP"), rootCertificates: ["another CA"] } }] },
      "expected one definition of OrdererMSP",
    ],
    ["no consenters", { consensus: { type: "raft", consenters: [] } }, "at least one consenter"],
    [
      "orderers nobody can reach",
      { ordererOrganizations: [{ msp: fixtureMsp("O"), endpoints: [] }] },
      "orderer endpoints",
    ],
    [
      "BFT for old orderers",
      { ...bftChannel, capabilities: { channel: ["V2_0"], orderer: ["V2_0"], application: ["V2_5"] } },
      "V3_0 for BFT, found V2_0",
    ],
  ] as const)("is not made of %s", (_, change, message) => {
    expect(() => genesisBlock({ ...raftChannel, ...change }, moment)).toThrow(message);
  });

  test("may have an organization that runs both peers and orderers", () => {
    const both = genesisBlock({ ...raftChannel, peerOrganizations: [{ msp: fixtureMsp("OrdererMSP") }] }, moment);
    const { config } = configOf(both);
    expect([organizationsOf(config, "application"), organizationsOf(config, "orderer")]).toEqual([
      ["OrdererMSP"],
      ["OrdererMSP"],
    ]);
  });

  test("is not made of consenters that share an address or a certificate", () => {
    const { consensus } = raftChannel;
    const [one, two] = consensus.consenters;
    if (!one || !two) throw new Error("expected consenters");
    const consenters = (list: readonly (typeof one)[]) =>
      ({ ...raftChannel, consensus: { type: "raft", consenters: list } }) as const;
    expect(() => genesisBlock(consenters([one, { ...two, host: one.host }]), moment)).toThrow(
      "orderer0.orderers:7050 twice",
    );
    expect(() =>
      genesisBlock(consenters([one, { ...two, serverTlsCertificate: one.serverTlsCertificate }]), moment),
    ).toThrow("orderer1.orderers:7050 twice");
  });
});

describe("a BFT quorum", () => {
  // common/policies/bft_test.go
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
    [7, 5],
    [10, 7],
  ])("of %i is %i", (count, quorum) => {
    expect(bftQuorum(count)).toBe(quorum);
  });
});

describe("reading a block", () => {
  test("refuses other bytes", () => {
    expect(() => readBlock(Buffer.from("not a block at all"))).toThrow("expected a block");
    expect(() => readBlock(new Uint8Array())).toThrow("expected a block with header and data");
  });
});
