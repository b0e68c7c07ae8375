import { expect, test } from "vitest";
import type { Deployment } from "../../../../../core/chaincode/deployment/deployment.ts";
import { warmStep } from "../../../../../core/chaincode/runtime/warm-step.ts";
import { nodesOf, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { assetDefinition, scriptedPeers } from "../scripted-peers.ts";
import { typedAs } from "../../../../typed-as.ts";

const context = { signal: new AbortController().signal, progress: () => {} };

/** What a peer's failure to start its chaincode ends with. */
async function failureOf(called: string): Promise<unknown> {
  const { network } = scriptedPeers({ called });
  const [organization] = network.definition.spec.peerOrganizations;
  if (!organization) throw new Error("expected an organization");
  const peers = nodesOf(organization);
  const node = peers[0] as FabricNode;
  const pkg = { id: "asset:1", type: "node", load: () => Promise.reject(new Error("not part of this test")) };
  const target = { organization, peers, late: [], gateway: node, pkg };
  const deployment: Deployment = {
    network,
    channel: "mychannel",
    definition: assetDefinition,
    isNew: false,
    targets: [target],
    runtime: {} as Deployment["runtime"],
    enough: undefined,
    patience: undefined,
    deploymentBy: () => ({ operation: "deploy" }),
  };
  return Promise.resolve(warmStep(deployment, target, node, []).act(context)).catch((error: unknown) => error);
}

const launch = "error in simulation: failed to execute transaction 1: could not launch chaincode asset:1: ";

// As peers say it (test/contract/golden/3.1/docker, and the tests of Fabric's container_runtime.go).
test.each([
  ["has vanished", "error starting container: error starting container: Error response from daemon: No such image: x"],
  ["could not be built", "error building chaincode: error building image: docker build failed: Failed to pull x"],
])("chaincode whose image %s: the failure says what brings it", async (_, reason) => {
  expect(await failureOf(launch + reason)).toMatchObject({
    code: "rejected",
    message: expect.stringContaining(reason) as string,
    hint: typedAs(
      "kubectl fabric chaincode seed asset brings what another peer has; else: " +
        "kubectl fabric deploy-cc asset -C mychannel --path DIR --label LABEL builds its source as another package",
    ),
  });
});

test("chaincode that ends says nothing of images", async () => {
  const failure = await failureOf(`${launch}chaincode registration failed: container exited with 1`);
  expect(failure).toMatchObject({ code: "rejected", hint: undefined });
});
