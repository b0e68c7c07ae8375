// What `invoke` and `query` answer where a name on their command line is none: whatever Fabric says to it, a user reads which
// names there are. The emulator's words are the real ones (test/contract/golden/*/transactions/gateway).
import { afterAll, beforeAll, describe, expect } from "vitest";
import { chaincodeState } from "../../../../../core/chaincode/daily/state.ts";
import { transact, type TransactionRequest } from "../../../../../core/chaincode/daily/transact.ts";
import { afterJoin } from "../../../../../plugin/commands/next-command.ts";
import type { OpenNetwork } from "../../../../../core/network/session/open-network.ts";
import { pluginNetwork, type PluginNetwork } from "../../../../contract/plugin-network.ts";
import { newStory } from "../../../../story.ts";
import { deploy, joinAll } from "../../../emulator/network/actions.ts";
import { startNetwork, type Network } from "../../../emulator/network/network.ts";
import type { NodeProcess } from "../../../emulator/network/processes.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const timeout = 30_000;
const kinds = ["invoke", "query"] as const;
const read: TransactionRequest = {
  chaincode: "assets",
  channel: "mychannel",
  function: "get",
  arguments: ["a1"],
};
const create = (id: string) => ({ ...read, function: "put", arguments: [id, "Ann"] });

let nodes: Network;
let network: PluginNetwork;
let service: NodeProcess | undefined;
const test = newStory();

beforeAll(async () => {
  nodes = await startNetwork();
  network = pluginNetwork(nodes);
});

afterAll(async () => {
  await network?.close();
  await service?.stop();
  await nodes?.stop();
});

describe("a name that is none", () => {
  test("says how to get a channel before any is joined", async () => {
    for (const kind of kinds) {
      await expect(transact(network, kind, read, timeout, signal)).rejects.toMatchObject({
        code: "usage",
        message: "expected a channel that localhost has joined (none), found mychannel",
        hint: typedAs("kubectl fabric join mychannel"),
      });
    }
  });

  test("is told apart from one that there is", async () => {
    expect(await afterJoin(network, "mychannel", signal)).toBeUndefined(); // nobody can tell
    await joinAll(nodes);
    const next = "kubectl fabric deploy-cc NAME --path DIR --channel mychannel";
    expect(await afterJoin(network, "mychannel", signal)).toEqual(typedAs(next));
    service = await deploy(nodes, { name: "assets", version: "1.0", sequence: 1 });
    // That the other organization's peer runs it is known to ours a moment later.
    const created = () => transact(network, "invoke", create("a1"), timeout, signal).then(() => "committed", String);
    await expect.poll(created, { timeout: 30_000 }).toBe("committed");
    expect(await afterJoin(network, "mychannel", signal)).toBeUndefined();
    expect(Buffer.from((await transact(network, "query", read, timeout, signal)).payload).toString()).toContain("Ann");
  });

  for (const kind of kinds)
    test(`of a channel tells which there are: ${kind}`, async () => {
      const request = { ...read, channel: "nochan" };
      await expect(transact(network, kind, request, timeout, signal)).rejects.toMatchObject({
        code: "usage",
        message: "expected a channel that localhost has joined (mychannel), found nochan",
        hint: typedAs("--channel mychannel, or first: kubectl fabric join nochan"),
      });
    });

  for (const kind of kinds)
    test(`of a chaincode tells which there are: ${kind}`, async () => {
      const request = { ...read, chaincode: "nosuch" };
      await expect(transact(network, kind, request, timeout, signal)).rejects.toMatchObject({
        code: "usage",
        message: "expected a chaincode that is committed on mychannel (assets), found nosuch",
        hint: typedAs("kubectl fabric deploy-cc nosuch --path DIR --channel mychannel"),
      });
    });

  test("of an endorsing organization tells which there are", async () => {
    const request = { ...create("a2"), endorsingOrganizations: ["org1", "org9"] };
    await expect(transact(network, "invoke", request, timeout, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected organizations of mychannel (org1, org2) in --endorsing-orgs, found org9",
      hint: typedAs("--endorsing-orgs org1,org2, or leave it out: then the endorsement policy decides"),
    });
  });

  test("is none of an organization that the channel has and this cluster has not", async () => {
    const [org1] = network.definition.spec.peerOrganizations;
    if (!org1) throw new Error("expected an organization");
    const { metadata, spec } = network.definition;
    const half: OpenNetwork = {
      ...network,
      definition: { ...network.definition, metadata, spec: { ...spec, peerOrganizations: [org1] } },
    };
    const both = { ...create("a3"), endorsingOrganizations: ["org1", "Org2MSP"] };
    expect(await transact(half, "invoke", both, timeout, signal)).toHaveProperty("transactionId");
    const wrong = { ...create("a4"), endorsingOrganizations: ["Org2MSP", "Org9MSP", "org2"] };
    await expect(transact(half, "invoke", wrong, timeout, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected organizations of mychannel (org1, Org2MSP) in --endorsing-orgs, found Org9MSP, org2",
    });
  });

  test("tells the same where a chaincode is only looked at", async () => {
    const state = (name: string, on?: string) => chaincodeState(network, { name, channel: on }, signal);
    expect(await state("assets", "mychannel")).toMatchObject({ name: "assets", sequence: 1 });
    await expect(state("assets", "nochan")).rejects.toMatchObject({
      code: "usage",
      message: "expected a channel of a peer that answers (mychannel), found nochan",
      hint: typedAs("--channel mychannel, or first: kubectl fabric join nochan"),
    });
    for (const on of [undefined, "mychannel"]) {
      await expect(state("nosuch", on)).rejects.toMatchObject({
        code: "usage",
        message: `expected a chaincode that is committed on ${on ?? "any channel"} (assets), found nosuch`,
      });
    }
  });

  test("is not blamed for what the chaincode itself answers", async () => {
    const request = { ...read, function: "nosuch", endorsingOrganizations: ["org1"] };
    await expect(transact(network, "invoke", request, timeout, signal)).rejects.toMatchObject({ code: "chaincode" });
  });
});
