import { afterEach, beforeEach, expect, test } from "vitest";
import { openNetwork } from "../../../../../core/network/session/open-network.ts";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { networkStatus } from "../../../../../core/network/operations/status.ts";
import type { ScriptedCluster } from "../../scripted-cluster/scripted-cluster.ts";
import { clusterWithWebhook, init, small, today } from "../network-cluster.ts";

let cluster: ScriptedCluster;
beforeEach(async () => void (cluster = await clusterWithWebhook()));
afterEach(() => cluster.close());

test("each node is compared with the image that is wanted for it, whatever the version", async () => {
  const own = networkFor({ peerImage: "local/node:1" }, small);
  await init(cluster, own);
  const statusOf = async (wanted: typeof own) => {
    const network = openNetwork(cluster.connect(), wanted);
    try {
      return await networkStatus(network, new AbortController().signal, today);
    } finally {
      await network.close();
    }
  };
  expect(await statusOf(own)).toMatchObject({ fabricVersion: "3.1", upToDate: true });
  const { upToDate, nodes } = await statusOf(networkFor({ peerImage: "local/node:2" }, own));
  expect(upToDate).toBe(false);
  expect(nodes.map(({ name, image, wantedImage }) => [name, image, wantedImage])).toEqual([
    ["orderer0", own.spec.images.orderer, undefined],
    ["peer0", "local/node:1", "local/node:2"],
  ]);
});
