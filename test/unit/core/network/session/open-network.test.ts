import { expect, test } from "vitest";
import { mspConfigMapName } from "../../../../../core/network/identity/identities.ts";
import type { ApiRequest, Cluster } from "../../../../../core/kubernetes/cluster.ts";
import { openNetwork } from "../../../../../core/network/session/open-network.ts";
import { peerNodes, type FabricNode } from "../../../../../core/network/resources/nodes.ts";
import { small } from "../network-cluster.ts";

const { signal } = new AbortController();
const [peer0] = peerNodes(small) as [FabricNode];
const running = {
  items: [
    { metadata: { name: "peer0-0" }, status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } },
  ],
};

/** Servers that listen in this process. */
const listening = () => process.getActiveResourcesInfo().filter((resource) => resource === "TCPServerWrap").length;

test("what is opened only after all was closed does not stay open", async () => {
  const pods = Promise.withResolvers<unknown>();
  const call = async ({ path }: ApiRequest): Promise<unknown> =>
    path.endsWith(`/configmaps/${mspConfigMapName}`)
      ? { metadata: { name: mspConfigMapName }, data: { "ca.pem": "CA", "tlsca.pem": "TLS CA" } }
      : pods.promise;
  const network = openNetwork({ call } as unknown as Cluster, small);
  const before = listening();
  const connecting = network.connection(peer0, signal);
  const failure = connecting.catch((error: unknown) => error);
  await network.close();
  pods.resolve(running);
  expect(await failure).toMatchObject({ code: "interrupted", message: "the network was closed" });
  expect(listening()).toBe(before);
});
