import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CommitError, EndorseError, GatewayError, type ChaincodeEvent } from "@hyperledger/fabric-gateway";
import { common, peer } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deploy, deployPackage, joinAll, withContract } from "../integration/emulator/network/actions.ts";
import { hear, unheard } from "../integration/emulator/network/answers.ts";
import { Authority, type KeyPair } from "../integration/emulator/network/authority.ts";
import {
  connectGateway,
  endorse,
  propose,
  signedProposal,
  type Connection,
} from "../integration/emulator/network/client.ts";
import { broadcast, signedEnvelope, type SignerOf } from "../integration/emulator/network/config-update.ts";
import {
  channelId,
  eventually,
  type Network,
  type OrdererNode,
  type PeerNode,
} from "../integration/emulator/network/network.ts";
import type { NodeProcess } from "../integration/emulator/network/processes.ts";
import { nameOf } from "./answers/json.ts";
import { compareAnswers } from "./answers/recording.ts";
import { assetTransfer } from "./chaincode.ts";
import { columns, programsOf, startColumn } from "./column.ts";
import { deliverFromOrderer, deliverFromPeer, numbersOf } from "./deliver.ts";
import { endorsedTransaction } from "./endorsed-transaction.ts";

const run = promisify(execFile);
const utf8 = new TextDecoder();
const { TxValidationCode } = peer;

describe.each(columns)("$name", (column) => {
  const { missing } = column;
  let network: Network;
  let orderers: readonly [OrdererNode, OrdererNode, OrdererNode];
  let org1: PeerNode;
  let org2: PeerNode;
  let service: NodeProcess;
  let admin: SignerOf;
  const both = ["Org1MSP", "Org2MSP"];
  let packageId: string;

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) {
      return;
    }
    network = await startColumn(column);
    orderers = network.orderers as unknown as typeof orderers;
    [org1, org2] = network.peers as [PeerNode, PeerNode];
    admin = { mspId: "Org1MSP", pair: org1.organization.admin };
    await joinAll(network);
    const { id, bytes } = await assetTransfer("assets_1.0");
    packageId = id;
    await deployPackage(network, { name: "assets", version: "1.0", sequence: 1 }, bytes, id);
    service = await deploy(network, { name: "values", version: "1.0", sequence: 1 });
  });

  afterAll(async () => {
    await service?.stop();
    await network?.stop();
  });

  const evaluate = (node: PeerNode, name: string, ...args: readonly string[]): Promise<string> =>
    withContract(node, "assets", async (contract) => utf8.decode(await contract.evaluateTransaction(name, ...args)));
  const submit = (node: PeerNode, name: string, ...args: readonly string[]): Promise<string> =>
    withContract(node, "assets", async (contract) => utf8.decode(await contract.submitTransaction(name, ...args)));
  const refusal = async (work: Promise<unknown>): Promise<GatewayError> => {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(GatewayError);
    return error as GatewayError;
  };
  const connected = async <T>(work: (connection: Connection) => Promise<T>, pair?: KeyPair): Promise<T> => {
    const connection = connectGateway(org1, pair);
    try {
      return await work(connection);
    } finally {
      connection.close();
    }
  };

  describe.skipIf(missing)("gateway", () => {
    test("submits on one organization's peer and evaluates on the other's", async () => {
      expect(await submit(org1, "CreateAsset", "a1", "Ann", "5")).toBe('{"id":"a1","owner":"Ann","value":5}');
      const seen = await eventually("the asset at the other peer", () =>
        evaluate(org2, "ReadAsset", "a1").catch(() => undefined),
      );
      expect(seen).toBe('{"id":"a1","owner":"Ann","value":5}');
    });

    test("tells the status of a commit", async () => {
      await withContract(org1, "assets", async (contract) => {
        const submitted = await contract.submitAsync("CreateAsset", { arguments: ["a2", "Bob", "6"] });
        const status = await submitted.getStatus();
        expect(status).toMatchObject({ code: TxValidationCode.VALID, successful: true });
        expect(status.blockNumber).toBeGreaterThan(1n);
        expect(status.transactionId).toBe(submitted.getTransactionId());
        // It is the same when asked again, later.
        expect(await submitted.getStatus()).toEqual(status);
      });
    });

    test("reports the chaincode's error on evaluation", async () => {
      const error = await refusal(evaluate(org1, "ReadAsset", "nobody"));
      expect(error.message).toBe(
        "2 UNKNOWN: evaluate call to endorser returned error: chaincode response 500, the asset nobody does not exist",
      );
      expect(error.details).toEqual([
        { address: org1.address, mspId: "Org1MSP", message: "chaincode response 500, the asset nobody does not exist" },
      ]);
    });

    test("reports the chaincode's error on submission", async () => {
      const error = await refusal(submit(org1, "CreateAsset", "a1", "Ann", "5"));
      expect(error).toBeInstanceOf(EndorseError);
      expect(error.message).toBe("10 ABORTED: failed to endorse transaction, see attached details for more info");
      expect(error.details).toEqual([
        { address: org1.address, mspId: "Org1MSP", message: "chaincode response 500, the asset a1 already exists" },
      ]);
    });

    test("finds a conflict between two racing submissions", async () => {
      await withContract(org1, "assets", async (contract) => {
        const proposals = ["Carl", "Dora"].map((owner) =>
          contract.newProposal("TransferAsset", { arguments: ["a1", owner] }),
        );
        const statuses = await unheard(async () => {
          const transactions = await Promise.all(proposals.map((proposal) => proposal.endorse()));
          const commits = await Promise.all(transactions.map((transaction) => transaction.submit()));
          return Promise.all(commits.map((one) => one.getStatus()));
        });
        hear("codes of both", statuses.map(({ code }) => nameOf(TxValidationCode, code)).sort());
        const { VALID, MVCC_READ_CONFLICT } = TxValidationCode;
        expect(new Set(statuses.map(({ code }) => code))).toEqual(new Set([VALID, MVCC_READ_CONFLICT]));
      });
    });

    test("has just those organizations endorse that are named", async () => {
      const work = (endorsingOrganizations: string[], id: string): Promise<unknown> =>
        withContract(org1, "assets", (contract) =>
          contract.submit("CreateAsset", { arguments: [id, "Ann", "1"], endorsingOrganizations }),
        );
      const error = await work(["Org1MSP"], "a3").catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CommitError);
      expect((error as CommitError).code).toBe(TxValidationCode.ENDORSEMENT_POLICY_FAILURE);
      await work(both, "a4");
      const unknown = await refusal(work(["Org9MSP"], "a5"));
      expect(unknown.message).toBe("14 UNAVAILABLE: failed to find any endorsing peers for org(s): Org9MSP");
    });

    test("knows no other chaincode", async () => {
      const work = (what: "evaluateTransaction" | "submitTransaction"): Promise<unknown> =>
        withContract(org1, "nosuch", (contract) => contract[what]("ReadAsset", "a1"));
      expect((await refusal(work("evaluateTransaction"))).message).toBe(
        "9 FAILED_PRECONDITION: no peers available to evaluate chaincode nosuch in channel mychannel",
      );
      expect((await refusal(work("submitTransaction"))).message).toBe(
        "9 FAILED_PRECONDITION: no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode nosuch in channel mychannel",
      );
    });

    test("knows no other channel", async () => {
      const work = (what: "evaluateTransaction" | "submitTransaction"): Promise<unknown> =>
        connected(({ gateway }) => gateway.getNetwork("other").getContract("assets")[what]("ReadAsset", "a1"));
      expect((await refusal(work("evaluateTransaction"))).message).toBe(
        "14 UNAVAILABLE: failed to get config for channel [other]: could not get last config for channel other",
      );
      expect((await refusal(work("submitTransaction"))).message).toBe(
        "9 FAILED_PRECONDITION: no combination of peers can be derived which satisfy the endorsement policy: No metadata was found for chaincode assets in channel other",
      );
    });
  });

  describe.skipIf(missing)("events", () => {
    const take = async (events: AsyncIterable<ChaincodeEvent>, count: number): Promise<readonly ChaincodeEvent[]> => {
      const taken: ChaincodeEvent[] = [];
      for await (const event of events) {
        taken.push(event);
        if (taken.length === count) {
          break;
        }
      }
      return taken;
    };

    test("come while they happen", async () => {
      await connected(async ({ gateway }) => {
        const events = await unheard(() => gateway.getNetwork(channelId).getChaincodeEvents("assets"));
        const seen = new AbortController();
        const next = take(events, 1).finally(() => seen.abort());
        // The peer starts at the next block after it has heard of us, which nothing tells.
        for (let index = 0; !seen.signal.aborted; index++) {
          await unheard(() => submit(org1, "CreateAsset", `e${index}`, "Eve", "1"));
        }
        const [event] = await next;
        hear("the event", { chaincode: event?.chaincodeName, name: event?.eventName });
        expect(event).toMatchObject({ chaincodeName: "assets", eventName: "AssetCreated" });
        events.close();
      });
    });

    test("are replayed from a block, and go on after a transaction", async () => {
      await connected(async ({ gateway }) => {
        const channel = gateway.getNetwork(channelId);
        const all = await unheard(() => channel.getChaincodeEvents("assets", { startBlock: 0n }));
        const [first, second] = await take(all, 2);
        all.close();
        hear(
          "the events",
          [first, second].map((event) => ({ name: event?.eventName, payload: utf8.decode(event?.payload) })),
        );
        expect(utf8.decode(first?.payload)).toBe('{"id":"a1","owner":"Ann","value":5}');
        expect(utf8.decode(second?.payload)).toBe('{"id":"a2","owner":"Bob","value":6}');
        const checkpoint = { getBlockNumber: () => first?.blockNumber, getTransactionId: () => first?.transactionId };
        const rest = await unheard(() => channel.getChaincodeEvents("assets", { checkpoint }));
        expect((await take(rest, 1))[0]?.transactionId).toBe(second?.transactionId);
        rest.close();
      });
    });
  });

  describe.skipIf(missing)("identities", () => {
    const asked = (options: Partial<Parameters<typeof propose>[1]>): Promise<unknown> =>
      propose(org1, { chaincode: "assets", channelId, args: ["ReadAsset", "a1"], ...options });

    test("are denied with a bad signature", async () => {
      const forgedBy = await org1.organization.ca.issue({ commonName: "mallory", unit: "client" });
      await expect(asked({ forgedBy })).rejects.toMatchObject({
        code: 2,
        details: "error validating proposal: access denied: channel [mychannel] creator org [Org1MSP]",
      });
    });

    test("are denied with an expired certificate", async () => {
      const signer = await org1.organization.ca.issue({ commonName: "late", unit: "admin", expired: true });
      await expect(asked({ signer })).rejects.toMatchObject({ code: 2, details: "proposal client identity expired" });
    });

    test("are denied when another authority made them", async () => {
      const foreign = await Authority.create("ca.Org1MSP");
      const signer = await foreign.issue({ commonName: "admin", unit: "admin" });
      await expect(asked({ signer })).rejects.toMatchObject({
        code: 2,
        details:
          "error validating proposal: access denied: channel [mychannel] creator org unknown, creator is malformed",
      });
    });

    test("are denied when their organization is unknown", async () => {
      await expect(asked({ mspId: "Org9MSP" })).rejects.toMatchObject({
        code: 2,
        details:
          "error validating proposal: access denied: channel [mychannel] creator org unknown, creator is malformed",
      });
    });

    test("are denied through the gateway, too", async () => {
      const signer = await org1.organization.ca.issue({ commonName: "late", unit: "admin", expired: true });
      const read = connected(
        ({ gateway }) => gateway.getNetwork(channelId).getContract("assets").evaluateTransaction("ReadAsset", "a1"),
        signer,
      );
      const message = "proposal client identity expired";
      const denied = [
        { address: org1.address, mspId: "Org1MSP", message },
        { address: org2.address, mspId: "Org2MSP", message: `rpc error: code = Unknown desc = ${message}` },
      ];
      const outcome = await read.then(
        () => "answered",
        ({ message: text, details }: GatewayError) => [text, details],
      );
      // The gateway of 2.5 goes past the filters of its own peer (internal/peer/node/start.go).
      expect(outcome).toEqual(
        column.line === "2.5"
          ? "answered"
          : ["14 UNAVAILABLE: failed to evaluate transaction, see attached details for more info", denied],
      );
    });

    test("must tell the time", async () => {
      const time = new Date(Date.now() - 20 * 60_000);
      // Fabric 2.5 does not look (core.yaml, peer.handlers.authFilters).
      await expect(
        asked({ time }).then(
          () => "taken",
          ({ details }: { readonly details: string }) => details,
        ),
      ).resolves.toMatch(
        column.line === "2.5"
          ? "taken"
          : /^request unauthorized due to incorrect timestamp .*, peer.authentication.timewindow 15m0s$/,
      );
    });

    test("reach no channel that the peer has not joined", async () => {
      const response = (
        await propose(org1, { chaincode: "assets", channelId: "other", args: ["ReadAsset", "a1"] })
      ).getResponse();
      expect([response?.getStatus(), response?.getMessage()]).toEqual([500, "channel 'other' not found"]);
    });
  });

  describe.skipIf(missing)("transactions endorsed and broadcast without a gateway", () => {
    let envelope: common.Envelope;
    let transactionId: string;

    /** The code of a transaction, as a peer's filtered blocks tell it. */
    const codesOf = async (id: string): Promise<readonly number[]> => {
      const seek = { start: "oldest", stop: "newest" } as const;
      const { filtered } = await unheard(() => deliverFromPeer(org1, admin, seek, "deliverFiltered"));
      const codes = filtered
        .flatMap((block) => block.getFilteredTransactionsList())
        .filter((transaction) => transaction.getTxid() === id)
        .map((transaction) => transaction.getTxValidationCode());
      hear(
        "codes of the transaction",
        codes.map((code) => nameOf(TxValidationCode, code)),
        org1.address,
      );
      return codes;
    };

    test("are committed", async () => {
      const proposal = await signedProposal(org1.organization, {
        chaincode: "assets",
        channelId,
        args: ["CreateAsset", "raw", "Ann", "1"],
      });
      const responses = await Promise.all([endorse(org1, proposal), endorse(org2, proposal)]);
      expect(responses.map((response) => response.getResponse()?.getStatus())).toEqual([200, 200]);
      ({ envelope, transactionId } = await endorsedTransaction(proposal, responses, admin));
      expect(await broadcast(network, orderers[1], envelope)).toEqual({ status: common.Status.SUCCESS, info: "" });
      const codes = await eventually("the block", async () => {
        const found = await codesOf(transactionId);
        return found.length > 0 ? found : undefined;
      });
      expect(codes).toEqual([TxValidationCode.VALID]);
    });

    test("count once", async () => {
      expect((await broadcast(network, orderers[0], envelope)).status).toBe(common.Status.SUCCESS);
      const codes = await eventually("the block", async () => {
        const found = await codesOf(transactionId);
        return found.length > 1 ? found : undefined;
      });
      expect(codes).toEqual([TxValidationCode.VALID, TxValidationCode.DUPLICATE_TXID]);
    });

    test("are found by their ID", async () => {
      const answer = async (name: string, id: string): Promise<peer.Response> =>
        (await propose(org1, { chaincode: "qscc", args: [name, channelId, id] })).getResponse() ?? new peer.Response();
      const found = peer.ProcessedTransaction.deserializeBinary(
        (await answer("GetTransactionByID", transactionId)).getPayload_asU8(),
      );
      expect(found.getValidationcode()).toBe(TxValidationCode.VALID);
      expect(Buffer.from(found.getTransactionenvelope()?.getSignature_asU8() ?? [])).toEqual(
        Buffer.from(envelope.getSignature_asU8()),
      );
      const missed = await answer("GetTransactionByID", "0".repeat(64));
      expect([missed.getStatus(), missed.getMessage()]).toEqual([
        500,
        `Failed to get transaction with id ${"0".repeat(64)}, error no such transaction ID [${"0".repeat(64)}] in index`,
      ]);
    });

    test("are refused by orderers from a stranger, and for an unknown channel", async () => {
      const ca = await Authority.create("ca.Org1MSP");
      const stranger = { mspId: "Org1MSP", pair: await ca.issue({ commonName: "admin", unit: "admin" }) };
      const { ENDORSER_TRANSACTION } = common.HeaderType;
      const content = new Uint8Array([1]);
      expect(
        await broadcast(network, orderers[0], await signedEnvelope(ENDORSER_TRANSACTION, content, stranger)),
      ).toEqual({
        status: common.Status.FORBIDDEN,
        info: "implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Writers' sub-policies to be satisfied: permission denied",
      });
      expect(
        await broadcast(network, orderers[0], await signedEnvelope(ENDORSER_TRANSACTION, content, admin, "other")),
      ).toEqual({
        status: common.Status.BAD_REQUEST,
        info:
          column.line === "2.5"
            ? "channel creation request not allowed because the orderer system channel is not defined"
            : "channel does not exist",
      });
    });
  });

  describe.skipIf(missing)("nodes", () => {
    test("tell their version", async () => {
      const { peer: peerCommand, orderer: ordererCommand } = await programsOf(column, network.directory);
      for (const [name, command] of [
        ["peer", peerCommand.slice(0, -2)],
        ["orderer", ordererCommand],
      ] as const) {
        const [program = "", ...args] = command;
        const { stdout } = await run(program, [...args, "version"]);
        expect(stdout).toMatch(
          new RegExp(`^${name}:\n Version: v?\\d+\\.\\d+\\.\\d+.*\n Commit SHA: .+\n Go version: .+\n OS/Arch: .+`),
        );
      }
    });

    test("are healthy", async () => {
      for (const { operations } of [...network.peers, ...orderers]) {
        const response = await fetch(`${operations}/healthz`);
        const body = await response.json();
        hear("GET /healthz", { status: response.status, body });
        expect([response.status, body]).toEqual([200, { status: "OK", time: expect.stringMatching(/^\d{4}-/) }]);
      }
    });

    test("count chaincode under Fabric's names", async () => {
      const metrics = await (await fetch(`${org1.operations}/metrics`)).text();
      expect(metrics).toContain(`chaincode_launch_duration_count{chaincode="${packageId}",success="true"} 1`);
      const request = `chaincode="${packageId}",channel="mychannel"`;
      expect(metrics).toContain(`chaincode_shim_requests_received{${request},type="PUT_STATE"}`);
      expect(metrics).toContain(`chaincode_shim_requests_completed{${request},success="true",type="GET_STATE"}`);
      expect(metrics).toContain(`chaincode_shim_request_duration_count{${request},success="true",type="PUT_STATE"}`);
    });

    test("lose nothing when a peer starts again, and its chaincode is launched again", async () => {
      // How many there are depends on when the events came.
      const list = () => unheard(() => evaluate(org1, "ListAssets", "", ""));
      const before = await list();
      await org1.process.stop();
      await org1.process.start();
      expect(await eventually("an answer", () => list().catch(() => undefined))).toBe(before);
      await eventually("a transaction", () => submit(org1, "CreateAsset", "p1", "Pia", "1").catch(() => undefined));
    });

    test("lose nothing when an orderer of three starts again", async () => {
      await orderers[1].process.stop();
      await eventually("a transaction", () => submit(org1, "CreateAsset", "o1", "Olga", "1").catch(() => undefined));
      await orderers[1].process.start();
      const heights = async (): Promise<readonly (number | undefined)[]> => {
        const newest = await Promise.all(
          orderers.map((node) => unheard(() => deliverFromOrderer(network, node, admin, { start: "newest" }))),
        );
        return newest.flatMap(numbersOf);
      };
      const reached = await eventually("the same height at all orderers", async () => {
        const found = await heights();
        return found.length === 3 && new Set(found).size === 1 ? found : undefined;
      });
      await submit(org1, "CreateAsset", "o2", "Olga", "1");
      const later = await eventually("another block at all orderers", async () => {
        const found = await heights();
        return found.every((height) => (height ?? 0) > (reached[0] ?? 0)) ? found : undefined;
      });
      expect(later).toHaveLength(3);
    });

    test("start chaincode again that has ended", async () => {
      const started = await chaincodeProcesses(network.directory, org1);
      expect(started).toHaveLength(1);
      started.forEach((pid) => process.kill(pid, "SIGKILL"));
      expect(await eventually("an answer", () => evaluate(org1, "ReadAsset", "p1").catch(() => undefined))).toBe(
        '{"id":"p1","owner":"Pia","value":1}',
      );
      expect(await chaincodeProcesses(network.directory, org1)).not.toEqual(started);
    });

    test("say so when chaincode as a service is gone, and find it when it is back", async () => {
      const get = (): Promise<string> =>
        withContract(org1, "values", async (contract) =>
          utf8.decode(await contract.evaluateTransaction("get", "nothing")),
        );
      expect(await get()).toBe("");
      await service.stop();
      await eventually("its end", () =>
        unheard(get).then(
          () => undefined,
          () => true,
        ),
      );
      const error = await refusal(get());
      expect(error.details[0]?.message).toMatch(
        /could not launch chaincode (values_1.0:[0-9a-f]{64}): connection to \1 failed: error cannot create connection for \1: error creating grpc connection to 127.0.0.1:\d+: .*connection refused/,
      );
      await service.start();
      expect(await eventually("an answer", () => get().catch(() => undefined))).toBe("");
    });
  });

  /** The chaincode that a peer's external builder runs, whose folder is in its command line. */
  async function chaincodeProcesses(directory: string, node: PeerNode): Promise<readonly number[]> {
    const { stdout } = await run("ps", ["-A", "-o", "pid=,command="]);
    return stdout
      .split("\n")
      .filter((line) => line.includes("node-builder") && line.includes(`${directory}/${node.organization.mspId}/`))
      .map((line) => Number(line.trim().split(" ")[0]));
  }
});
