import { describe, expect, test } from "vitest";
import type { Deployment } from "../../../../../core/chaincode/deployment/deployment.ts";
import { initStep } from "../../../../../core/chaincode/lifecycle/init-step.ts";
import { nodesOf, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { assetDefinition, scriptedPeers, type LifecycleScript } from "../scripted-peers.ts";

const { signal } = new AbortController();
const context = { signal, progress: () => {} };

/** Init of a chaincode that peers' daemons run, if they do: nobody may look. */
function initOf(script: LifecycleScript) {
  const { network, asked } = scriptedPeers(script);
  const [organization] = network.definition.spec.peerOrganizations;
  if (!organization) throw new Error("expected an organization");
  const peers = nodesOf(organization);
  const deployment: Deployment = {
    network,
    channel: "mychannel",
    definition: { ...assetDefinition, initRequired: true },
    isNew: true,
    targets: [
      {
        organization,
        peers,
        late: [],
        gateway: peers[0] as FabricNode,
        pkg: { id: "asset:1", type: "node", load: () => Promise.reject(new Error("not part of this test")) },
      },
    ],
    runtime: {} as Deployment["runtime"],
    enough: undefined,
    patience: undefined,
    deploymentBy: () => ({ operation: "deploy" }),
  };
  return { step: initStep(deployment, ["CreateAsset", "i1"], []), asked };
}

describe("Init", () => {
  test("is looked at without a call where a call would start the chaincode", async () => {
    const { step, asked } = initOf({ called: "whatever" });
    expect(await step.observe(context)).toEqual({
      is: "differs",
      change:
        'Init("CreateAsset", "i1"), unless it has been called: only a call tells, which would start the chaincode',
    });
    expect(asked).toEqual([]);
  });

  test("is not called again where the first call shows that it has been", async () => {
    const { step, asked } = initOf({ called: "you have asked for a function that does not exist" });
    expect(await step.act?.(context)).toEqual({ unchanged: "it was initialized already" });
    expect(asked).toEqual(["peer0.org1 org.hyperledger.fabric:GetMetadata"]);
  });
});
