import { describe, expect, test } from "vitest";
import { deploymentFor } from "../../../../plugin/chaincode/deploy.ts";
import {
  defaultEndorsementPolicyBytes,
  type ChaincodeDefinition,
} from "../../../../plugin/fabric/chaincode-definition.ts";
import { scriptedPeers } from "./scripted-peers.ts";

const { signal } = new AbortController();
const request = { name: "asset", channel: "mychannel" };

const committed: ChaincodeDefinition = {
  name: "asset",
  version: "3",
  sequence: 3,
  endorsementPolicy: defaultEndorsementPolicyBytes(),
  collections: new Uint8Array(),
  initRequired: false,
};

describe("going back", () => {
  test.each([
    ["a sequence that never was", committed, 9, "expected a sequence from 1 to 3, found 9"],
    ["another than the only one", { ...committed, sequence: 1 }, 2, "expected sequence 1, the only one, found 2"],
    [
      "a sequence of what was never committed",
      undefined,
      1,
      "expected asset to be committed on mychannel before it can go back, found no definition of it",
    ],
  ])("to %s is refused, and nobody is asked for it", async (_, present, rollbackTo, message) => {
    const lost = new Error("the connection was closed");
    const { network, asked } = scriptedPeers({
      ...(present && { committed: present }),
      // Whatever had been begun would fail with nobody listening.
      fails: (_host, question) => (question === "QueryApprovedChaincodeDefinition" ? lost : undefined),
    });
    await expect(deploymentFor(network, { ...request, rollbackTo }, signal)).rejects.toMatchObject({
      code: "usage",
      message,
    });
    expect(asked.toSorted()).toEqual(["peer0.org1 GetConfigBlock", "peer0.org1 QueryChaincodeDefinition"]);
  });
});
