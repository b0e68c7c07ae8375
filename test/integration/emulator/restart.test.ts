import { afterAll, beforeAll, expect } from "vitest";
import { deploy, joinAll, withContract } from "./network/actions.ts";
import { eventually, participate, startNetwork, type Network, type PeerNode } from "./network/network.ts";
import type { NodeProcess } from "./network/processes.ts";
import { newStory } from "../../story.ts";

const utf8 = new TextDecoder();
let network: Network;
let service: NodeProcess | undefined;
let org1: PeerNode;

const test = newStory();

beforeAll(async () => {
  network = await startNetwork();
  org1 = network.peers[0] as PeerNode;
  await joinAll(network);
  service = await deploy(network, { name: "assets", version: "1.0", sequence: 1 });
});

afterAll(async () => {
  await service?.stop();
  await network.stop();
});

/** Retried: the orderer that a transaction is sent to may have no leader for a moment. */
async function add(amount: number): Promise<void> {
  await eventually(`a transaction that adds ${amount}`, async () => {
    try {
      await withContract(org1, "assets", (contract) =>
        contract.submitTransaction("put", `key-${amount}`, String(amount)),
      );
      return true;
    } catch {
      return undefined;
    }
  });
}

async function keys(): Promise<string> {
  return withContract(org1, "assets", async (contract) =>
    utf8.decode(await contract.evaluateTransaction("range", "key-", "key-z")),
  );
}

async function heights(): Promise<readonly number[]> {
  return Promise.all(
    network.orderers.map(async (orderer) => {
      const { body } = await participate(orderer, network.ordererOrganization, "GET", "/mychannel");
      return (body as { readonly height: number }).height;
    }),
  );
}

test("loses nothing while one orderer after the other is killed and started again", async () => {
  for (const [index, orderer] of network.orderers.entries()) {
    await add(index * 2);
    await orderer.process.kill();
    await add(index * 2 + 1);
    await orderer.process.start();
  }
  await add(6);
  expect(await keys()).toBe('["key-0","key-1","key-2","key-3","key-4","key-5","key-6"]');
  await eventually("the same height at all orderers", async () =>
    new Set(await heights()).size === 1 ? true : undefined,
  );
});

test("reads its ledger again after a kill of the peer", async () => {
  const before = await keys();
  await org1.process.kill();
  await org1.process.start();
  expect(await eventually("an answer", () => keys().catch(() => undefined))).toBe(before);
  await add(7);
  expect(await keys()).toContain("key-7");
});

test("orders nothing without a majority", async () => {
  const [first, second] = network.orderers;
  await first?.process.kill();
  await second?.process.kill();
  const error = await withContract(org1, "assets", (contract) => contract.submitTransaction("put", "never", "1")).catch(
    (thrown: unknown) => thrown,
  );
  expect((error as Error).message).toContain("no orderers could successfully process transaction");
  await first?.process.start();
  await second?.process.start();
  await add(8);
});
