import { describe, expect, test } from "vitest";
import { deploymentFor } from "../../../../core/chaincode/rollout/resolve.ts";
import { commitStep, runningStep } from "../../../../core/chaincode/lifecycle/lifecycle-steps.ts";
import { FabricError } from "../../../../core/error.ts";
import { peerNodes } from "../../../../core/network/resources/nodes.ts";
import { assetDefinition, scriptedPeers } from "./scripted-peers.ts";

const { signal } = new AbortController();
const context = { signal, progress: () => {} };
const request = { name: "asset", channel: "mychannel", packageId: "asset:1", organizations: ["org1"] };
const taken = "requested sequence is 1, but new definition must be sequence 2";

describe("a sequence that another command has committed meanwhile", () => {
  async function commitBehind(found: Partial<typeof assetDefinition>) {
    let newest = 0;
    const { network } = scriptedPeers({
      committed: { ...assetDefinition, ...found },
      lags: () => (newest === 0 ? 0 : undefined),
      readiness: () => ({ Org1MSP: "approved", Org2MSP: "approved" }),
      fails: (_host, question) =>
        newest === 1 && question === "CheckCommitReadiness" ? new FabricError("rejected", taken) : undefined,
    });
    const step = commitStep(await deploymentFor(network, request, signal), []);
    newest = 1;
    await step.act?.(context);
    return step.observe(context);
  }

  test("is as wanted when it is the same definition", async () => {
    expect(await commitBehind({})).toEqual({ is: "so", byOthers: true, detail: "another command has committed it" });
  });

  test("is told of when it is another", async () => {
    await expect(commitBehind({ version: "9" })).rejects.toMatchObject({
      code: "conflict",
      message: "expected mychannel to commit asset 1, sequence 1, found asset 9, sequence 1 committed meanwhile",
      hint: "type the same command again: it goes on from there, with the next sequence",
    });
  });

  test("is told of by a peer that knows a later one, and is not waited for", async () => {
    let known = 0;
    const { network } = scriptedPeers({
      committed: { ...assetDefinition, sequence: 2 },
      lags: () => (known === 0 ? 0 : undefined),
    });
    const deployment = await deploymentFor(network, request, signal);
    const [node] = peerNodes(network.definition);
    if (!node) throw new Error("expected a peer");
    known = 2;
    await expect(runningStep(deployment, node, []).observe(context)).rejects.toMatchObject({
      code: "conflict",
      message: "expected mychannel to commit asset 1, sequence 1, found asset 1, sequence 2 committed meanwhile",
    });
  });
});
