import { status } from "@grpc/grpc-js";
import type { EndorseError } from "@hyperledger/fabric-gateway";
import { peer } from "@hyperledger/fabric-protos";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { parseEndorsementPolicy } from "../../core/fabric/policy/endorsement-policy.ts";
import {
  approvalOf,
  approve,
  commit,
  definitionArguments,
  install,
  joinAll,
  lifecycle,
  readiness,
} from "../integration/emulator/network/actions.ts";
import { propose, servicePackage } from "../integration/emulator/network/client.ts";
import { channelId, eventually, type Network, type PeerNode } from "../integration/emulator/network/network.ts";
import { compareAnswers } from "./answers/recording.ts";
import { columns, startColumn } from "./column.ts";
import { newStory } from "../story.ts";

const {
  CheckCommitReadinessArgs,
  CheckCommitReadinessResult,
  CommitChaincodeDefinitionArgs,
  GetInstalledChaincodePackageArgs,
  GetInstalledChaincodePackageResult,
  InstallChaincodeResult,
  QueryApprovedChaincodeDefinitionArgs,
  QueryApprovedChaincodeDefinitionResult,
  QueryChaincodeDefinitionArgs,
  QueryChaincodeDefinitionResult,
  QueryChaincodeDefinitionsArgs,
  QueryChaincodeDefinitionsResult,
  QueryInstalledChaincodeArgs,
  QueryInstalledChaincodeResult,
  QueryInstalledChaincodesArgs,
  QueryInstalledChaincodesResult,
} = peer.lifecycle;

describe.each(columns)("$name", (column) => {
  const { missing } = column;
  let network: Network;
  let org1: PeerNode;
  let org2: PeerNode;
  let bytes: Buffer;
  let packageId: string;
  const both = ["Org1MSP", "Org2MSP"];
  const first = { name: "assets", version: "1.0", sequence: 1 };
  const second = { name: "assets", version: "2.0", sequence: 2 };

  const test = newStory();

  compareAnswers(column, () => network);

  beforeAll(async () => {
    if (missing !== undefined) {
      return;
    }
    network = await startColumn(column);
    [org1, org2] = network.peers as [PeerNode, PeerNode];
    await joinAll(network);
    ({ bytes, packageId } = await servicePackage("assets_1.0", "127.0.0.1:1"));
  });

  afterAll(() => network?.stop());

  const answerOf = (response: peer.Response): readonly [number, string] => [
    response.getStatus(),
    response.getMessage(),
  ];
  const failed = (name: string, reason: string): readonly [number, string] => [
    500,
    `failed to invoke backing implementation of '${name}': ${reason}`,
  ];
  /** What one peer says to an approval or a commit, which nobody orders. */
  const endorse = async (name: string, args: Uint8Array, node = org1): Promise<readonly [number, string]> =>
    answerOf(await lifecycle(node, name, args, channelId));

  const approved = async (node: PeerNode, name: string, sequence: number): Promise<peer.Response> => {
    const args = new QueryApprovedChaincodeDefinitionArgs();
    args.setName(name);
    args.setSequence(sequence);
    return lifecycle(node, "QueryApprovedChaincodeDefinition", args.serializeBinary(), channelId);
  };

  const committed = async (name: string, node = org1): Promise<peer.Response> => {
    const args = new QueryChaincodeDefinitionArgs();
    args.setName(name);
    return lifecycle(node, "QueryChaincodeDefinition", args.serializeBinary(), channelId);
  };

  const approveEverywhere = async (
    definition: typeof first & { readonly endorsementPolicy?: Uint8Array },
  ): Promise<void> => {
    await approve(org1, definition, packageId);
    await approve(org2, definition, "");
    for (const node of [org1, org2]) {
      await eventually("both approvals", async () =>
        [...(await readiness(node, definition)).values()].every(Boolean) ? true : undefined,
      );
    }
  };

  describe.skipIf(missing)("packages", () => {
    test("installs a package", async () => {
      const response = await install(org1, bytes);
      expect(response.getStatus()).toBe(200);
      expect(InstallChaincodeResult.deserializeBinary(response.getPayload_asU8()).toObject()).toEqual({
        packageId,
        label: "assets_1.0",
      });
    });

    test("refuses the same package again, naming its ID", async () => {
      expect(answerOf(await install(org1, bytes))).toEqual(
        failed("InstallChaincode", `chaincode already successfully installed (package ID '${packageId}')`),
      );
    });

    test("lists what is installed", async () => {
      const response = await lifecycle(
        org1,
        "QueryInstalledChaincodes",
        new QueryInstalledChaincodesArgs().serializeBinary(),
      );
      const list = QueryInstalledChaincodesResult.deserializeBinary(response.getPayload_asU8());
      expect(list.getInstalledChaincodesList().map((one) => one.toObject())).toEqual([
        { packageId, label: "assets_1.0", referencesMap: [] },
      ]);
    });

    test("shows one that is installed, and says what is not", async () => {
      const args = new QueryInstalledChaincodeArgs();
      args.setPackageId(packageId);
      const response = await lifecycle(org1, "QueryInstalledChaincode", args.serializeBinary());
      const found = QueryInstalledChaincodeResult.deserializeBinary(response.getPayload_asU8());
      expect([found.getPackageId(), found.getLabel()]).toEqual([packageId, "assets_1.0"]);
      args.setPackageId("nosuch:1");
      expect(answerOf(await lifecycle(org1, "QueryInstalledChaincode", args.serializeBinary()))).toEqual(
        failed("QueryInstalledChaincode", "could not find chaincode with package id 'nosuch:1'"),
      );
    });

    test("gives a package back byte for byte", async () => {
      const args = new GetInstalledChaincodePackageArgs();
      args.setPackageId(packageId);
      const response = await lifecycle(org1, "GetInstalledChaincodePackage", args.serializeBinary());
      const back = GetInstalledChaincodePackageResult.deserializeBinary(response.getPayload_asU8());
      expect(Buffer.compare(bytes, back.getChaincodeInstallPackage_asU8())).toBe(0);
    });

    test("has no package that is not installed", async () => {
      const args = new GetInstalledChaincodePackageArgs();
      args.setPackageId("nosuch:1");
      expect(answerOf(await lifecycle(org1, "GetInstalledChaincodePackage", args.serializeBinary()))).toEqual(
        failed(
          "GetInstalledChaincodePackage",
          "could not load cc install package: chaincode install package 'nosuch:1' not found",
        ),
      );
    });

    test("refuses what is no package", async () => {
      expect(answerOf(await install(org1, Buffer.from("no package")))).toEqual(
        failed(
          "InstallChaincode",
          "could not parse as a chaincode install package: error reading as gzip stream: gzip: invalid header",
        ),
      );
      expect(answerOf(await install(org1, new Uint8Array()))).toEqual(
        failed("InstallChaincode", "could not parse as a chaincode install package: error reading as gzip stream: EOF"),
      );
    });

    test("lets only administrators install", async () => {
      const signer = await org1.organization.ca.issue({ commonName: "user", unit: "client" });
      const args = ["InstallChaincode", new peer.lifecycle.InstallChaincodeArgs().serializeBinary()];
      const response = (await propose(org1, { chaincode: "_lifecycle", args, signer })).getResponse();
      expect(response?.getStatus()).toBe(500);
      expect(response?.getMessage()).toContain(
        "The identity is not an admin under this MSP [Org1MSP]: The identity does not contain OU [ADMIN], MSP: [Org1MSP]",
      );
    });

    test("has no other functions", async () => {
      expect(answerOf(await lifecycle(org1, "Uninstall", new Uint8Array()))).toEqual([
        500,
        "Failed to authorize invocation due to failed ACL check: Unmapped policy for _lifecycle/Uninstall",
      ]);
    });
  });

  describe.skipIf(missing)("approval", () => {
    test("knows no definition at first", async () => {
      expect(answerOf(await committed("assets"))).toEqual([404, "namespace assets is not defined"]);
      const args = new QueryChaincodeDefinitionsArgs().serializeBinary();
      const response = await lifecycle(org1, "QueryChaincodeDefinitions", args, channelId);
      const all = QueryChaincodeDefinitionsResult.deserializeBinary(response.getPayload_asU8());
      expect([response.getStatus(), all.getChaincodeDefinitionsList()]).toEqual([200, []]);
      expect(answerOf(await approved(org1, "assets", 1))).toEqual(
        failed(
          "QueryApprovedChaincodeDefinition",
          "could not fetch approved chaincode definition (name: 'assets', sequence: '1') on channel 'mychannel'",
        ),
      );
    });

    test("is ready when all have approved", async () => {
      expect(await readiness(org1, first)).toEqual(
        new Map([
          ["Org1MSP", false],
          ["Org2MSP", false],
        ]),
      );
      await approve(org1, first, packageId);
      expect(await readiness(org1, first)).toEqual(
        new Map([
          ["Org1MSP", true],
          ["Org2MSP", false],
        ]),
      );
    });

    test("shows what is approved", async () => {
      const response = await approved(org1, "assets", 1);
      const found = QueryApprovedChaincodeDefinitionResult.deserializeBinary(response.getPayload_asU8()).toObject();
      expect(found).toMatchObject({
        sequence: 1,
        version: "1.0",
        endorsementPlugin: "escc",
        validationPlugin: "vscc",
        initRequired: false,
        source: { localPackage: { packageId } },
      });
    });

    test("refuses to approve the same again", async () => {
      expect(
        await endorse("ApproveChaincodeDefinitionForMyOrg", approvalOf(first, packageId).serializeBinary()),
      ).toEqual(
        failed(
          "ApproveChaincodeDefinitionForMyOrg",
          "attempted to redefine uncommitted sequence (1) for namespace assets with unchanged content",
        ),
      );
    });

    test("is not ready for other terms than those approved", async () => {
      const other = {
        ...first,
        version: "1.1",
        endorsementPolicy: parseEndorsementPolicy("OR('Org1MSP.peer')").serializeBinary(),
      };
      const args = definitionArguments(new CheckCommitReadinessArgs(), other).serializeBinary();
      const response = await lifecycle(org1, "CheckCommitReadiness", args, channelId);
      const result = CheckCommitReadinessResult.deserializeBinary(response.getPayload_asU8()).toObject();
      expect(result.approvalsMap).toEqual([
        ["Org1MSP", false],
        ["Org2MSP", false],
      ]);
      // Only Fabric 3 tells what differs.
      const told = [
        ["Org1MSP", { itemsList: ["EndorsementInfo", "ValidationInfo"] }],
        ["Org2MSP", { itemsList: ["ChaincodeParameters"] }],
      ];
      expect(result.mismatchesMap).toEqual(column.line === "2.5" ? [] : told);
    });

    test("does not commit what an organization has not approved", async () => {
      const error = await eventually("peers that know of each other", async () => {
        const thrown = (await commit(org1, first, both).catch((cause: unknown) => cause)) as EndorseError;
        return thrown.code === (status.UNAVAILABLE as number) ? undefined : thrown;
      });
      expect(error.message).toBe(
        "10 ABORTED: failed to collect enough transaction endorsements, see attached details for more info",
      );
      expect(error.details).toEqual([
        {
          address: org2.address,
          mspId: "Org2MSP",
          message:
            "chaincode response 500, failed to invoke backing implementation of 'CommitChaincodeDefinition': chaincode definition not agreed to by this org (Org2MSP)",
        },
      ]);
    });
  });

  describe.skipIf(missing)("definition", () => {
    test("commits what all have approved", async () => {
      await approve(org2, first, "");
      await eventually("both approvals", async () =>
        [...(await readiness(org1, first)).values(), ...(await readiness(org2, first)).values()].every(Boolean)
          ? true
          : undefined,
      );
      await commit(org1, first, both);
      const response = await committed("assets");
      expect(QueryChaincodeDefinitionResult.deserializeBinary(response.getPayload_asU8()).toObject()).toMatchObject({
        sequence: 1,
        version: "1.0",
        endorsementPlugin: "escc",
        validationPlugin: "vscc",
        initRequired: false,
        approvalsMap: [
          ["Org1MSP", true],
          ["Org2MSP", true],
        ],
      });
    });

    test("lists all that are committed", async () => {
      const args = new QueryChaincodeDefinitionsArgs().serializeBinary();
      const response = await lifecycle(org1, "QueryChaincodeDefinitions", args, channelId);
      const all = QueryChaincodeDefinitionsResult.deserializeBinary(response.getPayload_asU8());
      expect(all.toObject().chaincodeDefinitionsList).toMatchObject([{ name: "assets", sequence: 1, version: "1.0" }]);
    });

    test("says that another is not defined", async () => {
      expect(answerOf(await committed("nosuch"))).toEqual([404, "namespace nosuch is not defined"]);
    });

    test("shows which channels use a package", async () => {
      const args = new QueryInstalledChaincodesArgs().serializeBinary();
      const response = await lifecycle(org1, "QueryInstalledChaincodes", args);
      const [found] = QueryInstalledChaincodesResult.deserializeBinary(
        response.getPayload_asU8(),
      ).getInstalledChaincodesList();
      const uses = found?.getReferencesMap().get(channelId)?.getChaincodesList() ?? [];
      expect(uses.map((one) => one.toObject())).toEqual([{ name: "assets", version: "1.0" }]);
    });

    test("shows an approval without a package", async () => {
      const response = await approved(org2, "assets", 1);
      const found = QueryApprovedChaincodeDefinitionResult.deserializeBinary(response.getPayload_asU8()).toObject();
      expect(found).toMatchObject({ sequence: 1, version: "1.0", source: { unavailable: {} } });
    });

    test("refuses a sequence that was committed", async () => {
      const changed = { ...first, version: "1.1" };
      expect(
        await endorse("ApproveChaincodeDefinitionForMyOrg", approvalOf(changed, packageId).serializeBinary()),
      ).toEqual(
        failed(
          "ApproveChaincodeDefinitionForMyOrg",
          "attempted to redefine the current committed sequence (1) for namespace assets with different parameters: expected Version '1.0' does not match passed Version '1.1'",
        ),
      );
      const args = definitionArguments(new CommitChaincodeDefinitionArgs(), first).serializeBinary();
      expect(await endorse("CommitChaincodeDefinition", args)).toEqual(
        failed("CommitChaincodeDefinition", "requested sequence is 1, but new definition must be sequence 2"),
      );
      const check = definitionArguments(new CheckCommitReadinessArgs(), first).serializeBinary();
      expect(await endorse("CheckCommitReadiness", check)).toEqual(
        failed("CheckCommitReadiness", "requested sequence is 1, but new definition must be sequence 2"),
      );
    });

    test("refuses a sequence that leaves one out", async () => {
      const skipping = { ...first, sequence: 3 };
      expect(
        await endorse("ApproveChaincodeDefinitionForMyOrg", approvalOf(skipping, packageId).serializeBinary()),
      ).toEqual(
        failed(
          "ApproveChaincodeDefinitionForMyOrg",
          "requested sequence 3 is larger than the next available sequence number 2",
        ),
      );
      const args = definitionArguments(new CommitChaincodeDefinitionArgs(), skipping).serializeBinary();
      expect(await endorse("CommitChaincodeDefinition", args)).toEqual(
        failed("CommitChaincodeDefinition", "requested sequence is 3, but new definition must be sequence 2"),
      );
    });

    test("refuses names and versions that Fabric does not take", async () => {
      const named = (name: string, version: string) =>
        endorse(
          "ApproveChaincodeDefinitionForMyOrg",
          approvalOf({ name, version, sequence: 1 }, packageId).serializeBinary(),
        );
      const refused = (reason: string): readonly [number, string] =>
        failed("ApproveChaincodeDefinitionForMyOrg", `error validating chaincode definition: ${reason}`);
      expect(await named("no name", "1.0")).toEqual(
        refused(
          "invalid chaincode name 'no name'. Names can only consist of alphanumerics, '_', and '-' and can only begin with alphanumerics",
        ),
      );
      expect(await named("name", "no version")).toEqual(
        refused(
          "invalid chaincode version 'no version'. Versions can only consist of alphanumerics, '_', '-', '+', and '.'",
        ),
      );
      expect(await named("qscc", "1.0")).toEqual(refused("chaincode name 'qscc' is the name of a system chaincode"));
    });

    test("goes on to sequence 2", async () => {
      await approveEverywhere(second);
      await commit(org2, second, both);
      const found = await eventually("sequence 2 at the other peer", async () => {
        const result = QueryChaincodeDefinitionResult.deserializeBinary((await committed("assets")).getPayload_asU8());
        return result.getSequence() === 2 ? result : undefined;
      });
      expect(found.getVersion()).toBe("2.0");
    });

    test("changes nothing but the policy in sequence 3", async () => {
      const endorsementPolicy = parseEndorsementPolicy("OR('Org1MSP.peer', 'Org2MSP.peer')").serializeBinary();
      const third = { ...second, sequence: 3, endorsementPolicy };
      await approveEverywhere(third);
      await commit(org1, third, both);
      const found = QueryChaincodeDefinitionResult.deserializeBinary((await committed("assets")).getPayload_asU8());
      expect([found.getSequence(), found.getVersion()]).toEqual([3, "2.0"]);
      expect(Buffer.from(found.getValidationParameter_asU8())).toEqual(Buffer.from(endorsementPolicy));
    });
  });
});
