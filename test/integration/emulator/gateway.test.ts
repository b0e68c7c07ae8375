import { afterAll, beforeAll, describe, expect } from "vitest";
import { status } from "@grpc/grpc-js";
import { CommitError, EndorseError } from "@hyperledger/fabric-gateway";
import { msp, peer } from "@hyperledger/fabric-protos";
import { approve, commit, deploy, install, joinAll, lifecycle, readiness, withContract } from "./network/actions.ts";
import { connectGateway, propose, servicePackage } from "./network/client.ts";
import { signaturePolicy } from "./network/genesis.ts";
import { channelId, eventually, participate, startNetwork, type Network, type PeerNode } from "./network/network.ts";
import type { NodeProcess } from "./network/processes.ts";
import { newStory } from "../../story.ts";

const utf8 = new TextDecoder();
const definition = { name: "assets", version: "1.0", sequence: 1, collections: collections() };
const services: NodeProcess[] = [];
let network: Network;
let org1: PeerNode;
let org2: PeerNode;

function collections(): peer.CollectionConfigPackage {
  const members = new peer.CollectionPolicyConfig();
  members.setSignaturePolicy(signaturePolicy("Org1MSP", msp.MSPRole.MSPRoleType.MEMBER));
  const collection = new peer.StaticCollectionConfig();
  collection.setName("secrets");
  collection.setMemberOrgsPolicy(members);
  collection.setMaximumPeerCount(1);
  collection.setMemberOnlyRead(true);
  const one = new peer.CollectionConfig();
  one.setStaticCollectionConfig(collection);
  const all = new peer.CollectionConfigPackage();
  all.addConfig(one);
  return all;
}

function codeName(code: number): string | undefined {
  return Object.entries(peer.TxValidationCode).find(([, value]) => value === code)?.[0];
}

async function submit(node: PeerNode, ...args: readonly string[]): Promise<string> {
  const [name = "", ...rest] = args;
  return withContract(node, "assets", async (contract) => utf8.decode(await contract.submitTransaction(name, ...rest)));
}

async function evaluate(node: PeerNode, ...args: readonly string[]): Promise<string> {
  const [name = "", ...rest] = args;
  return withContract(node, "assets", async (contract) =>
    utf8.decode(await contract.evaluateTransaction(name, ...rest)),
  );
}

const test = newStory();

beforeAll(async () => {
  network = await startNetwork();
  [org1, org2] = network.peers as [PeerNode, PeerNode];
  await joinAll(network);
  services.push(await deploy(network, definition));
});

afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await network.stop();
});

describe("channel participation", () => {
  const call = (method: string, path: string, block?: Buffer): ReturnType<typeof participate> => {
    const [orderer] = network.orderers;
    if (orderer === undefined) {
      throw new Error("expected an orderer");
    }
    return participate(orderer, network.ordererOrganization, method, path, block);
  };

  test("lists channels", async () => {
    expect(await call("GET", "")).toEqual({
      status: 200,
      body: { systemChannel: null, channels: [{ name: channelId, url: "/participation/v1/channels/mychannel" }] },
    });
  });

  test("refuses to join twice", async () => {
    expect(await call("POST", "", network.genesis)).toEqual({
      status: 405,
      body: { error: "cannot join: channel already exists" },
    });
  });

  test("refuses what is no block", async () => {
    expect(await call("POST", "", Buffer.alloc(0))).toEqual({
      status: 400,
      body: { error: "invalid join block: block is not a config block" },
    });
  });

  test("knows no other channel", async () => {
    expect(await call("GET", "/other")).toEqual({ status: 404, body: { error: "channel does not exist" } });
    expect(await call("DELETE", "/other")).toEqual({
      status: 404,
      body: { error: "cannot remove: channel does not exist" },
    });
  });
});

describe("transactions through the gateway", () => {
  test("writes on one organization's peer and reads on the other's", async () => {
    // As with gossip, peers of two organizations need a moment to hear of each other's chaincode.
    const put = () => submit(org1, "put", "colour", "blue").catch(() => undefined);
    expect(await eventually("endorsers of both organizations", put)).toBe("ok");
    const seen = await eventually("the block at the other peer", async () => {
      const value = await evaluate(org2, "get", "colour");
      return value === "" ? undefined : value;
    });
    expect(seen).toBe("blue");
  });

  test("answers ranges, pages, composite keys and history", async () => {
    await submit(org1, "put", "range-b", "1");
    await submit(org1, "put", "range-a", "1");
    await submit(org1, "put", "range-a", "2");
    await submit(org1, "remove", "range-a");
    await submit(org1, "put", "range-a", "3");
    expect(await evaluate(org1, "range", "range-", "range-z")).toBe('["range-a","range-b"]');
    expect(await evaluate(org1, "history", "range-a")).toBe('["3",null,"2","1"]');
    expect(JSON.parse(await evaluate(org1, "page", "1", "range-a"))).toEqual({
      keys: ["range-a"],
      bookmark: "range-b",
    });
    await submit(org1, "compose", "car", "vw", "golf");
    await submit(org1, "compose", "car", "vw", "polo");
    await submit(org1, "compose", "car", "fiat", "uno");
    expect(await evaluate(org1, "decompose", "car", "vw")).toBe('[["vw","golf"],["vw","polo"]]');
  });

  test("reports a chaincode's refusal with the peer that gave it", async () => {
    const error = await submit(org1, "fail").catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EndorseError);
    expect((error as EndorseError).details).toEqual([
      { address: org1.address, mspId: "Org1MSP", message: "chaincode response 500, as asked" },
    ]);
  });

  test("finds a conflict between transactions endorsed on the same state", async () => {
    await submit(org1, "put", "counter", "1");
    // Both endorse what follows, by what they have read.
    await eventually("the block at the other peer", async () =>
      (await evaluate(org2, "get", "counter")) === "1" ? true : undefined,
    );
    const codes = await withContract(org1, "assets", async (contract) => {
      const proposals = [
        contract.newProposal("add", { arguments: ["counter", "1"] }),
        contract.newProposal("add", { arguments: ["counter", "2"] }),
      ];
      const transactions = await Promise.all(proposals.map((proposal) => proposal.endorse()));
      const commits = await Promise.all(transactions.map((transaction) => transaction.submit()));
      const statuses = await Promise.all(commits.map((one) => one.getStatus()));
      return statuses.map(({ code }) => codeName(code));
    });
    expect(new Set(codes)).toEqual(new Set(["MVCC_READ_CONFLICT", "VALID"]));
  });

  test("invalidates what too few organizations endorsed", async () => {
    const error = await withContract(org1, "assets", (contract) =>
      contract.submit("put", { arguments: ["a", "1"], endorsingOrganizations: ["Org1MSP"] }),
    ).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CommitError);
    expect(codeName((error as CommitError).code)).toBe("ENDORSEMENT_POLICY_FAILURE");
  });

  test("says which chaincode is not there", async () => {
    const error = await withContract(org1, "nosuch", (contract) => contract.evaluateTransaction("get")).catch(
      (thrown: unknown) => thrown,
    );
    expect((error as Error).message).toBe(
      "9 FAILED_PRECONDITION: no peers available to evaluate chaincode nosuch in channel mychannel",
    );
  });

  test("keeps private data from organizations that are not members", async () => {
    await withContract(org1, "assets", (contract) =>
      contract.submit("putPrivate", {
        arguments: ["secrets", "pin"],
        transientData: { value: "1234" },
        endorsingOrganizations: ["Org1MSP", "Org2MSP"],
      }),
    );
    expect(await evaluate(org1, "getPrivate", "secrets", "pin")).toBe("1234");
    const error = await evaluate(org2, "getPrivate", "secrets", "pin").catch((thrown: unknown) => thrown);
    expect(String((error as EndorseError).details[0]?.message)).toContain(
      "tx creator does not have read access permission on privatedata in chaincodeName:assets collectionName: secrets",
    );
  });
});

describe("events", () => {
  test("replays chaincode events from a block, and goes on after a transaction", async () => {
    await submit(org1, "put", "event-1", "x");
    await submit(org1, "put", "event-2", "x");
    const connection = connectGateway(org1);
    const network = connection.gateway.getNetwork(channelId);
    const all = await network.getChaincodeEvents("assets", { startBlock: 0n });
    const seen: string[] = [];
    let first = "";
    for await (const event of all) {
      seen.push(utf8.decode(event.payload));
      first ||= utf8.decode(event.payload) === "event-1" ? event.transactionId : "";
      if (seen.includes("event-2")) {
        break;
      }
    }
    all.close();
    const rest = await network.getChaincodeEvents("assets", {
      checkpoint: { getBlockNumber: () => undefined, getTransactionId: () => first },
    });
    for await (const event of rest) {
      expect(utf8.decode(event.payload)).toBe("event-2");
      break;
    }
    rest.close();
    connection.close();
  });

  test("replays blocks, whole and filtered", async () => {
    const connection = connectGateway(org2);
    const network = connection.gateway.getNetwork(channelId);
    const blocks = await network.getBlockEvents({ startBlock: 0n });
    const numbers: number[] = [];
    for await (const block of blocks) {
      numbers.push(block.getHeader()?.getNumber() ?? -1);
      if (numbers.length === 3) {
        break;
      }
    }
    blocks.close();
    expect(numbers).toEqual([0, 1, 2]);
    const filtered = await network.getFilteredBlockEvents({ startBlock: 1n });
    for await (const block of filtered) {
      expect(block.getChannelId()).toBe(channelId);
      expect(block.getFilteredTransactionsList()[0]?.getTxValidationCode()).toBe(0);
      break;
    }
    filtered.close();
    connection.close();
  });
});

describe("identities", () => {
  test("denies a proposal with a forged signature", async () => {
    const forgedBy = await org1.organization.ca.issue({ commonName: "mallory", unit: "client" });
    await expect(propose(org1, { chaincode: "assets", channelId, args: ["get", "a"], forgedBy })).rejects.toThrow(
      "2 UNKNOWN: error validating proposal: access denied: channel [mychannel] creator org [Org1MSP]",
    );
  });

  test("denies an expired certificate", async () => {
    const signer = await org1.organization.ca.issue({ commonName: "late", unit: "admin", expired: true });
    await expect(propose(org1, { chaincode: "assets", channelId, args: ["get", "a"], signer })).rejects.toThrow(
      "proposal client identity expired",
    );
  });

  test("denies an organization that it does not know", async () => {
    await expect(
      propose(org1, { chaincode: "assets", channelId, args: ["get", "a"], mspId: "OtherMSP" }),
    ).rejects.toThrow("access denied: channel [mychannel] creator org unknown, creator is malformed");
  });

  test("lets only administrators install", async () => {
    const signer = await org1.organization.ca.issue({ commonName: "user", unit: "client" });
    const response = await propose(org1, { chaincode: "_lifecycle", args: ["QueryInstalledChaincodes", ""], signer });
    expect(response.getResponse()?.getMessage()).toBe(
      "Failed to authorize invocation due to failed ACL check: Failed verifying that proposal's creator satisfies local MSP principal during channelless check policy with policy [Admins]: [The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]]",
    );
  });

  test("answers for a channel that it has not joined", async () => {
    const response = await propose(org1, { chaincode: "assets", channelId: "other", args: ["get"] });
    expect(response.getResponse()?.getMessage()).toBe("channel 'other' not found");
  });
});

describe("lifecycle", () => {
  const next = { name: "second", version: "1.0", sequence: 1 };

  test("refuses the same package again, naming its ID", async () => {
    const { bytes, packageId } = await servicePackage("again", "127.0.0.1:1");
    expect((await install(org1, bytes)).getStatus()).toBe(200);
    expect((await install(org1, bytes)).getMessage()).toBe(
      `failed to invoke backing implementation of 'InstallChaincode': chaincode already successfully installed (package ID '${packageId}')`,
    );
  });

  test("refuses a wrong sequence", async () => {
    await expect(readiness(org1, { ...next, sequence: 5 })).rejects.toThrow(
      "failed to invoke backing implementation of 'CheckCommitReadiness': requested sequence is 5, but new definition must be sequence 1",
    );
    const error = await approve(org1, { ...next, sequence: 3 }, "").catch((thrown: unknown) => thrown);
    expect((error as EndorseError).details[0]?.message).toContain(
      "requested sequence 3 is larger than the next available sequence number 1",
    );
  });

  test("does not commit what an endorsing organization has not approved", async () => {
    await approve(org1, next, "");
    const error = await commit(org1, next, ["Org1MSP", "Org2MSP"]).catch((thrown: unknown) => thrown);
    expect((error as EndorseError).details.map(({ message }) => message)).toEqual([
      "chaincode response 500, failed to invoke backing implementation of 'CommitChaincodeDefinition': chaincode definition not agreed to by this org (Org2MSP)",
    ]);
  });

  test("refuses to approve the same again", async () => {
    const error = await approve(org1, next, "").catch((thrown: unknown) => thrown);
    expect((error as EndorseError).details[0]?.message).toContain(
      "attempted to redefine uncommitted sequence (1) for namespace second with unchanged content",
    );
  });

  test("shows which channels use a package", async () => {
    const response = await lifecycle(org1, "QueryInstalledChaincodes", new Uint8Array());
    const result = peer.lifecycle.QueryInstalledChaincodesResult.deserializeBinary(response.getPayload_asU8());
    const references = result
      .getInstalledChaincodesList()
      .find((one) => one.getLabel() === "assets_1.0")
      ?.getReferencesMap()
      .get(channelId)
      ?.getChaincodesList()
      .map((one) => one.toObject());
    expect(references).toEqual([{ name: "assets", version: "1.0" }]);
  });

  test("says that a namespace is not defined", async () => {
    const args = new peer.lifecycle.QueryChaincodeDefinitionArgs();
    args.setName("nosuch");
    const response = await lifecycle(org1, "QueryChaincodeDefinition", args.serializeBinary(), channelId);
    expect([response.getStatus(), response.getMessage()]).toEqual([404, "namespace nosuch is not defined"]);
  });

  test("refuses to join a channel twice", async () => {
    const response = await propose(org1, { chaincode: "cscc", args: ["JoinChain", network.genesis] });
    expect(response.getResponse()?.getMessage()).toBe(
      "cannot create ledger from genesis block: ledger [mychannel] already exists with state [ACTIVE]",
    );
  });
});

describe("faults on request", () => {
  const set = (faults: object): Promise<Response> =>
    fetch(`${org1.control}/faults`, { method: "POST", body: JSON.stringify(faults) });

  test("refuses an installation", async () => {
    await set({ refuseInstall: "no space left on device" });
    const { bytes } = await servicePackage("refused", "127.0.0.1:1");
    expect((await install(org1, bytes)).getMessage()).toContain("no space left on device");
    await set({ refuseInstall: "" });
    expect((await install(org1, bytes)).getStatus()).toBe(200);
  });

  test("answers late, and the client's own deadline counts", async () => {
    await set({ endorsementDelayMilliseconds: 5000 });
    const connection = connectGateway(org1);
    const proposal = connection.gateway
      .getNetwork(channelId)
      .getContract("assets")
      .newProposal("get", { arguments: ["colour"] });
    const late = await proposal.evaluate({ deadline: Date.now() + 500 }).catch((thrown: unknown) => thrown);
    expect((late as EndorseError).code).toBe(status.DEADLINE_EXCEEDED);
    await set({ endorsementDelayMilliseconds: 0 });
    expect(await proposal.evaluate()).toEqual(new TextEncoder().encode("blue"));
    connection.close();
  });

  test("takes certificates for expired", async () => {
    await set({ certificatesExpired: true });
    await expect(propose(org1, { chaincode: "cscc", args: ["GetChannels"] })).rejects.toThrow("identity expired");
    await set({ certificatesExpired: false });
  });

  test("drops event streams", async () => {
    const connection = connectGateway(org1);
    const events = await connection.gateway.getNetwork(channelId).getChaincodeEvents("assets");
    let end: unknown;
    void (async () => {
      for await (const event of events) void event;
    })().catch((thrown: unknown) => (end = thrown));
    // The first may come before the stream has reached the peer.
    const dropped = await eventually("the end of the stream", async () => {
      await fetch(`${org1.control}/drop-streams`, { method: "POST" });
      return end;
    });
    expect((dropped as Error).message).toContain("UNAVAILABLE");
    connection.close();
  });

  test("knows no other fault", async () => {
    expect((await set({ earthquake: true })).status).toBe(400);
  });
});

describe("operations", () => {
  test("is healthy and counts with Fabric's names", async () => {
    const health = (await (await fetch(`${org1.operations}/healthz`)).json()) as { readonly status: string };
    expect(health.status).toBe("OK");
    const metrics = await (await fetch(`${org1.operations}/metrics`)).text();
    expect(metrics).toContain("chaincode_launch_duration_count");
    expect(metrics).toMatch(/chaincode_shim_requests_completed\{[^}]*type="PUT_STATE"/);
  });
});

describe("chaincode that ends", () => {
  test("is dialled again by the next call", async () => {
    const [service] = services;
    await evaluate(org1, "die").catch(() => undefined);
    await service?.stop();
    const error = await evaluate(org1, "get", "colour").catch((thrown: unknown) => thrown);
    expect((error as EndorseError).details[0]?.message).toMatch(/chaincode|stream terminated/);
    await service?.start();
    expect(await eventually("an answer", () => evaluate(org1, "get", "colour").catch(() => undefined))).toBe("blue");
  });
});
