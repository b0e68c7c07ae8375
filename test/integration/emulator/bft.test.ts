import { afterAll, beforeAll, expect, test } from "vitest";
import { common } from "@hyperledger/fabric-protos";
import { deploy, joinAll, withContract } from "./network/actions.ts";
import { propose } from "./network/client.ts";
import { channelId, eventually, startNetwork, type Network, type PeerNode } from "./network/network.ts";
import type { NodeProcess } from "./network/processes.ts";

let network: Network;
let service: NodeProcess | undefined;
let org1: PeerNode;

beforeAll(async () => {
  network = await startNetwork("BFT");
  org1 = network.peers[0] as PeerNode;
  await joinAll(network);
  service = await deploy(network, { name: "assets", version: "1.0", sequence: 1 });
});

afterAll(async () => {
  await service?.stop();
  await network.stop();
});

async function newest(): Promise<common.Block> {
  const response = await propose(org1, {
    chaincode: "qscc",
    channelId,
    args: ["GetBlockByNumber", channelId, "18446744073709551615"],
  });
  return common.Block.deserializeBinary(response.getResponse()?.getPayload_asU8() ?? new Uint8Array());
}

function put(key: string): Promise<Uint8Array> {
  return withContract(org1, "assets", (contract) => contract.submitTransaction("put", key, "1"));
}

test("signs each block by a quorum, and orders once what was sent to every orderer", async () => {
  // As with gossip, peers of two organizations need a moment to hear of each other's chaincode.
  await eventually("endorsers of both organizations", () => put("a").catch(() => undefined));
  const block = await newest();
  const metadata = common.Metadata.deserializeBinary(
    block.getMetadata()?.getMetadataList_asU8()[common.BlockMetadataIndex.SIGNATURES] ?? new Uint8Array(),
  );
  const signers = metadata
    .getSignaturesList()
    .map((one) => common.SignatureHeader.deserializeBinary(one.getSignatureHeader_asU8()).getCreator_asB64());
  expect(new Set(signers).size).toBeGreaterThanOrEqual(3);
  expect(block.getData()?.getDataList()).toHaveLength(1);
  const height = block.getHeader()?.getNumber() ?? 0;
  await put("b");
  expect((await newest()).getHeader()?.getNumber()).toBe(height + 1);
});

test("goes on without one of four orderers", async () => {
  await network.orderers[0]?.process.kill();
  const done = await eventually("a transaction ordered by three of four", () => put("c").catch(() => undefined));
  expect(Buffer.from(done).toString()).toBe("ok");
});
