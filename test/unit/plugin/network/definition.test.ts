import { stringify } from "yaml";
import { describe, expect, test } from "vitest";
import { FabricError } from "../../../../plugin/error.ts";
import type { ApiRequest, Cluster } from "../../../../plugin/kube/cluster.ts";
import { definitionFor, findNetwork } from "../../../../plugin/network/definition.ts";
import { networkFromOptions, type FabricNetwork } from "../../../../plugin/network/spec.ts";

const { signal } = new AbortController();

/** A cluster in which these networks are defined, one ConfigMap an organization. */
function clusterWith(networks: readonly FabricNetwork[], mayListAll = true): Cluster {
  const refuse = async () => Promise.reject(new Error("not part of this test"));
  return {
    context: "test",
    server: "https://test",
    namespace: "org1",
    stream: refuse,
    webSocket: refuse,
    close: () => {},
    async call({ path }: ApiRequest) {
      if (path === "/api/v1/configmaps" && !mayListAll) throw new FabricError("forbidden", "may not list configmaps");
      return {
        items: networks.map((network) => ({
          metadata: { namespace: "org1" },
          data: { "network.yaml": stringify(network) },
        })),
      };
    },
  };
}

const [trade, ship] = [networkFromOptions({ name: "trade" }), networkFromOptions({ name: "ship", peers: 2 })];

describe("findNetwork", () => {
  test("the only one needs no name", async () => {
    expect(await findNetwork(clusterWith([trade]), undefined, signal)).toEqual(trade);
  });

  test("who may not list all namespaces looks in the context's", async () => {
    expect(await findNetwork(clusterWith([trade], false), undefined, signal)).toEqual(trade);
  });

  test("of several one has to be named", async () => {
    expect(await findNetwork(clusterWith([trade, ship]), "ship", signal)).toEqual(ship);
    await expect(findNetwork(clusterWith([trade, ship]), undefined, signal)).rejects.toMatchObject({
      code: "usage",
      message: "expected one network, found trade, ship",
    });
  });

  test("one that is not there is wrong usage, and told with those that are", async () => {
    await expect(findNetwork(clusterWith([trade, ship]), "rail", signal)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringMatching(/^expected the Fabric network rail in context .*, found trade, ship$/),
    });
  });

  test("none is told with what to type", async () => {
    await expect(findNetwork(clusterWith([]), undefined, signal)).rejects.toMatchObject({
      code: "not-found",
      hint: expect.stringContaining("kubectl fabric init"),
    });
  });
});

describe("definitionFor", () => {
  test("options are on top of what is there", async () => {
    expect(await definitionFor(clusterWith([ship]), { orderers: 5 }, signal)).toEqual(
      networkFromOptions({ name: "ship", peers: 2, orderers: 5 }),
    );
  });

  test("without a network the defaults are", async () => {
    expect(await definitionFor(clusterWith([]), {}, signal)).toEqual(networkFromOptions({}));
  });

  test("what would take a node away is refused, and says which", async () => {
    await expect(definitionFor(clusterWith([ship]), { peers: 1 }, signal)).rejects.toMatchObject({
      code: "usage",
      message: expect.stringContaining("peer1.org1, peer1.org2"),
    });
  });
});
