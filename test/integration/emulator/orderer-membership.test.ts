import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect } from "vitest";
import { common } from "@hyperledger/fabric-protos";
import { joinAll } from "./network/actions.ts";
import {
  broadcast,
  consenterUpdate,
  signedEnvelope,
  type BroadcastAnswer,
  type SignerOf,
} from "./network/config-update.ts";
import type { ConsenterSpec } from "./network/genesis.ts";
import { eventually, participate, startNetwork, type Network, type OrdererNode } from "./network/network.ts";
import { newStory } from "../../story.ts";

let network: Network;
let orderers: readonly [OrdererNode, OrdererNode, OrdererNode];
let admin: SignerOf;

const test = newStory();

beforeAll(async () => {
  network = await startNetwork();
  orderers = network.orderers as typeof orderers;
  admin = { mspId: "OrdererMSP", pair: network.ordererOrganization.admin };
  await joinAll(network);
});

afterAll(() => network.stop());

function consenters(...indices: readonly number[]): readonly ConsenterSpec[] {
  return indices.map((index) => {
    const { port, tls } = orderers[index] as OrdererNode;
    return { host: "127.0.0.1", port, tlsCertificate: tls.certificate };
  });
}

async function change(version: number, ...indices: readonly number[]): Promise<BroadcastAnswer> {
  return broadcast(network, orderers[0], await consenterUpdate(consenters(...indices), version, admin));
}

/** Until the height is reached: a leader that changes forgets what it took (Fabric's too). */
async function changed(version: number, height: number, ...indices: readonly number[]): Promise<void> {
  await eventually(`height ${height}`, async () => {
    await change(version, ...indices);
    await sleep(1000);
    return (await info(0)).height >= height || undefined;
  });
}

interface Info {
  readonly consensusRelation: string;
  readonly status: string;
  readonly height: number;
}

async function info(index: number): Promise<Info> {
  const orderer = orderers[index] as OrdererNode;
  return (await participate(orderer, network.ordererOrganization, "GET", "/mychannel")).body as Info;
}

function reached(index: number, expected: Partial<Info>): Promise<Info> {
  return eventually(`${JSON.stringify(expected)} of orderer ${index}`, async () => {
    const found = await info(index);
    return Object.entries(expected).every(([key, value]) => found[key as keyof Info] === value) ? found : undefined;
  });
}

test("refuses to change two consenters at once", async () => {
  expect(await change(0, 0)).toEqual({
    status: common.Status.BAD_REQUEST,
    info: "error applying config update to existing channel 'mychannel': consensus metadata update for channel config update is invalid: update of more than one consenter at a time is not supported, requested changes: add 0 node(s), remove 2 node(s)",
  });
});

test("refuses a message for a channel that is not there, one of a stranger, and one of somebody whose time is over", async () => {
  const { HeaderType, Status } = common;
  const message = Buffer.from("hello");
  const other = await signedEnvelope(HeaderType.MESSAGE, message, admin, "other");
  expect(await broadcast(network, orderers[0], other)).toEqual({
    status: Status.BAD_REQUEST,
    info: "channel does not exist",
  });
  const stranger = await signedEnvelope(HeaderType.MESSAGE, message, { ...admin, mspId: "StrangerMSP" });
  expect(await broadcast(network, orderers[0], stranger)).toEqual({
    status: Status.FORBIDDEN,
    info: "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Writers' sub-policies to be satisfied: permission denied",
  });
  const pair = await network.ordererOrganization.ca.issue({ commonName: "late", unit: "admin", expired: true });
  const late = await signedEnvelope(HeaderType.MESSAGE, message, { ...admin, pair });
  expect(await broadcast(network, orderers[0], late)).toEqual({
    status: Status.BAD_REQUEST,
    info: "broadcast client identity expired",
  });
});

test("lets a removed consenter follow, and takes it back", async () => {
  await changed(0, 2, 0, 1);
  expect(await reached(0, { height: 2 })).toMatchObject({ consensusRelation: "consenter" });
  expect(await reached(2, { height: 2, consensusRelation: "follower" })).toMatchObject({ status: "active" });
  await changed(1, 3, 0, 1, 2);
  expect(await reached(2, { height: 3, consensusRelation: "consenter" })).toMatchObject({ status: "active" });
});

test("lets an orderer leave and join again by a late configuration block", async () => {
  const { ordererOrganization } = network;
  const path = "/mychannel";
  expect((await participate(orderers[2], ordererOrganization, "DELETE", path)).status).toBe(204);
  expect((await participate(orderers[2], ordererOrganization, "POST", "", network.genesis)).status).toBe(201);
  expect(await reached(2, { height: 3 })).toMatchObject({ consensusRelation: "consenter", status: "active" });
});

test("refuses a change that would lose the majority", async () => {
  await orderers[1].process.kill();
  // A leader misses a member after two election timeouts; asking earlier would go through.
  await sleep(4000);
  // None counts as alive while there is no leader, should that one be gone.
  expect((await change(2, 0, 1)).info).toMatch(
    /[02] out of 3 nodes are alive, configuration will result in quorum loss/,
  );
  await orderers[1].process.start();
  const answer = await eventually("a change with all orderers alive", async () => {
    const found = await change(2, 0, 1);
    return found.status === common.Status.SUCCESS ? found : undefined;
  });
  expect(answer.info).toBe("");
});
