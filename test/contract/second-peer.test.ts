import { isDeepStrictEqual } from "node:util";
import type { Contract } from "@hyperledger/fabric-gateway";
import { peer } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { newSigningIdentity } from "../../core/fabric/identity/signing-identity.ts";
import { channelMembers } from "../../core/fabric/node/discovery.ts";
import { connectNode } from "../../core/fabric/node/node-connection.ts";
import {
  approve,
  commit,
  install,
  joinAll,
  lifecycle,
  readiness,
  serve,
  withContract,
} from "../integration/emulator/network/actions.ts";
import { propose } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import type { NodeProcess } from "../integration/emulator/network/processes.ts";
import { compareAnswers } from "./answers/recording.ts";
import { columns, startColumn } from "./column.ts";
import { newStory } from "../story.ts";

const utf8 = new TextDecoder();

describe.each(columns)("$name", (column) => {
  const { missing } = column;
  const definition = { name: "assets", version: "1.0", sequence: 1 };
  let network: Network;
  let first: PeerNode;
  let second: PeerNode;
  let other: PeerNode;
  let chaincode: { readonly service: NodeProcess; readonly bytes: Buffer; readonly packageId: string };

  const test = newStory();

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) return;
    network = await startColumn(column, "programs", {}, ["Org1MSP", "Org1MSP", "Org2MSP"]);
    [first, second, other] = network.peers as [PeerNode, PeerNode, PeerNode];
    await joinAll(network);
    chaincode = await serve("assets_1.0");
  });

  afterAll(async () => {
    await network?.stop();
    await chaincode?.service.stop();
  });

  const answerOf = async (node: PeerNode): Promise<readonly [number, string]> => {
    const response = (await propose(node, { chaincode: "assets", channelId, args: ["get", "colour"] })).getResponse();
    return [response?.getStatus() ?? 0, response?.getMessage() || utf8.decode(response?.getPayload_asU8())];
  };
  /** Through a peer's gateway, again while it has not found the peers it needs. */
  const through = (node: PeerNode, work: (contract: Contract) => Promise<Uint8Array>): Promise<string> =>
    eventually(`an answer through ${node.address}`, () =>
      withContract(node, "assets", work)
        .then((bytes) => utf8.decode(bytes))
        .catch(() => undefined),
    );

  describe.skipIf(missing)("two peers of one organization", () => {
    test("both learn of an approval that one of them endorsed", async () => {
      await install(first, chaincode.bytes);
      await install(other, chaincode.bytes);
      await approve(first, definition, chaincode.packageId);
      await eventually("the approval at both", async () => {
        const seen = await Promise.all([first, second].map((node) => readiness(node, definition)));
        return seen.every((approvals) => approvals.get("Org1MSP") === true) ? true : undefined;
      });
      const args = new peer.lifecycle.QueryApprovedChaincodeDefinitionArgs();
      args.setName("assets");
      args.setSequence(1);
      const response = await lifecycle(second, "QueryApprovedChaincodeDefinition", args.serializeBinary(), channelId);
      const result = peer.lifecycle.QueryApprovedChaincodeDefinitionResult.deserializeBinary(
        response.getPayload_asU8(),
      );
      expect(result.getSource()?.getLocalPackage()?.getPackageId()).toBe(chaincode.packageId);
    });

    test("both know what was committed", async () => {
      await approve(other, definition, chaincode.packageId);
      await eventually("both approvals", async () =>
        [...(await readiness(first, definition)).values()].every(Boolean) ? true : undefined,
      );
      await eventually("a commit", () =>
        commit(first, definition, ["Org1MSP", "Org2MSP"]).then(
          () => true,
          () => undefined,
        ),
      );
      const args = new peer.lifecycle.QueryChaincodeDefinitionArgs();
      args.setName("assets");
      const response = await eventually("the definition at the second peer", async () => {
        const found = await lifecycle(second, "QueryChaincodeDefinition", args.serializeBinary(), channelId);
        return found.getStatus() === 200 ? found : undefined;
      });
      const result = peer.lifecycle.QueryChaincodeDefinitionResult.deserializeBinary(response.getPayload_asU8());
      expect([result.getSequence(), result.getVersion()]).toEqual([1, "1.0"]);
    });

    test("each tells by discovery who is on the channel, and with which chaincode; the emulator offers none", async () => {
      const seenBy = async ({ organization, address }: PeerNode) => {
        const { admin, mspId, tlsCa } = organization;
        const credential = { certificate: admin.certificate, privateKey: admin.key };
        const [host = "", port] = address.split(":");
        const tls = { serverName: "localhost", tlsRootCertificates: tlsCa.certificate, client: credential };
        const connection = connectNode({ host, port: Number(port), ...tls });
        try {
          return await channelMembers({ connection, identity: newSigningIdentity(mspId, credential) }, channelId);
        } finally {
          connection.close();
        }
      };
      const chaincodesOf = (node: PeerNode) => (node === second ? ["_lifecycle"] : ["_lifecycle", "assets"]);
      const members = new Map([first, second, other].map((node) => [node.address, chaincodesOf(node)]));
      const expected = column.release === undefined ? undefined : members;
      for (const node of [first, other]) {
        const isKnown = await eventually(`all peers in the gossip of ${node.address}`, async () => {
          const found = await seenBy(node);
          const seen = found && new Map(found.map(({ address, chaincodes }) => [address, chaincodes]));
          return isDeepStrictEqual(seen, expected) ? true : undefined;
        });
        expect(isKnown).toBe(true);
      }
    });

    test("only where the package is installed the chaincode runs", async () => {
      expect(await through(first, (contract) => contract.submitTransaction("put", "colour", "blue"))).toBe("ok");
      expect(await answerOf(first)).toEqual([200, "blue"]);
      expect(await answerOf(second)).toEqual([
        500,
        "make sure the chaincode assets has been successfully defined on channel mychannel and try again: chaincode definition for 'assets' exists, but chaincode is not installed",
      ]);
    });

    test("the gateway of a peer without the chaincode asks the other", async () => {
      // Whichever it asks: one that did not commit has the block a moment later.
      await eventually("the block at the peer that it asks", async () => {
        const found = await through(second, (contract) => contract.evaluateTransaction("get", "colour"));
        return found === "blue" ? true : undefined;
      });
      expect(await through(second, (contract) => contract.submitTransaction("put", "colour", "red"))).toBe("ok");
    });

    test("what is installed later runs at once, with the same state", async () => {
      expect((await install(second, chaincode.bytes)).getStatus()).toBe(200);
      expect(await answerOf(second)).toEqual([200, "red"]);
    });

    test("the gateway of another organization takes the peer that is left", async () => {
      await first.process.stop();
      expect(await through(other, (contract) => contract.submitTransaction("put", "colour", "green"))).toBe("ok");
      await eventually("the block at the second peer", async () =>
        (await answerOf(second))[1] === "green" ? true : undefined,
      );
    });

    test("the peer that was away catches up", async () => {
      await first.process.start();
      const answer = await eventually("an answer with the block", () =>
        answerOf(first).then(
          (found) => (found[1] === "green" ? found : undefined),
          () => undefined,
        ),
      );
      expect(answer).toEqual([200, "green"]);
    });
  });
});
