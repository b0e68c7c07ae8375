// Of an organization's peers any one will do: which are asked, and what is said when none of them runs.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { peerChannels } from "../../../../../core/fabric/channel/peer-channels.ts";
import { openNetwork } from "../../../../../core/network/session/open-network.ts";
import { connectOrganization, reachOrganization } from "../../../../../core/network/session/reach.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import { clusterWithWebhook, init } from "../network-cluster.ts";
import { typedAs } from "../../../../typed-as.ts";

const { signal } = new AbortController();
const definition = networkFor({ orderers: 1, peerOrganizations: ["org1"], peers: 2 });
const [org1] = definition.spec.peerOrganizations;
if (!org1) throw new Error("expected an organization");

let cluster: ScriptedCluster;
beforeEach(async () => {
  cluster = await clusterWithWebhook();
  await init(cluster, definition);
});
afterEach(() => cluster.close());

/** The name of the node that is connected to. */
async function connected(): Promise<string> {
  const network = openNetwork(cluster.connect(), definition);
  try {
    return (await connectOrganization(network, org1 as NonNullable<typeof org1>, signal)).endpoint.serverName;
  } finally {
    await network.close();
  }
}

describe("an organization is reached", () => {
  test("by the first of its peers that runs", async () => {
    expect(await connected()).toBe("peer0.org1");
    cluster.erase("Pod", "peer0-0", "org1");
    expect(await connected()).toBe("peer1.org1");
  });

  test("and who may not forward its port is told that, not that a connection was reset", async () => {
    const network = openNetwork(cluster.connect(), definition);
    try {
      const asked = peerChannels(await reachOrganization(network, org1, signal));
      await expect(asked).rejects.toMatchObject({ code: "forbidden", message: expect.not.stringMatching(/RESET/) });
    } finally {
      await network.close();
    }
  });

  test("by none when no peer runs: they are named, and what to type", async () => {
    cluster.erase("Pod", "peer0-0", "org1");
    cluster.erase("Pod", "peer1-0", "org1");
    await expect(connected()).rejects.toMatchObject({
      code: "not-ready",
      message: "expected a running Pod of one of the peers of org1 (peer0.org1, peer1.org1), found none",
      hint: typedAs("kubectl fabric init brings back what is gone or scaled to 0; then type the same command again"),
    });
  });
});
