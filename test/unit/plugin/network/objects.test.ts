import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { V1StatefulSet } from "../../../../plugin/kube/client-node.ts";
import { namespaceOf, networkConfigMap } from "../../../../plugin/network/namespace.ts";
import { ordererObjects } from "../../../../plugin/network/orderer.ts";
import { peerObjects } from "../../../../plugin/network/peer.ts";
import { networkFromOptions, ordererNodes, parseNetwork, peerNodes } from "../../../../plugin/network/spec.ts";
import { parseYaml } from "../../../../plugin/network/spec-file.ts";

const network = networkFromOptions({ name: "trade", storageClass: "fast" });
const unprivileged = networkFromOptions({ name: "trade", profile: "restricted" });
const documents = (objects: readonly object[]) => objects.map((object) => stringify(object)).join("---\n");

describe("objects of a network", () => {
  test.each([
    ["orderer", ordererObjects(network, ordererNodes(network)[0]!)],
    ["peer", peerObjects(network, peerNodes(network)[0]!)],
    [
      "namespaces",
      [network.spec.ordererOrganization, network.spec.peerOrganizations[0]!].map((org) => namespaceOf(network, org)),
    ],
    ["peer-restricted", peerObjects(unprivileged, peerNodes(unprivileged)[0]!)],
    ["namespace-restricted", [namespaceOf(unprivileged, unprivileged.spec.peerOrganizations[0]!)]],
  ])("%s", async (name, objects) => {
    await expect(documents(objects)).toMatchFileSnapshot(`golden/${name}.yaml`);
  });

  test("peers are told when their chaincode is idle", () => {
    const annotations = (idle: string | undefined) => {
      const asked = networkFromOptions({ chaincodeIdle: idle });
      const sets = peerObjects(asked, peerNodes(asked)[0]!).filter(({ kind }) => kind === "StatefulSet");
      return sets.map((set) => (set as V1StatefulSet).spec?.template.metadata?.annotations);
    };
    expect(annotations("10m")).toEqual([{ ...annotations(undefined)[0], "kubectl-fabric.io/chaincode-idle": "10m" }]);
  });

  test("each namespace carries the definition, whole", () => {
    const { data } = networkConfigMap(network, network.spec.ordererOrganization);
    expect(parseNetwork(parseYaml(data!["network.yaml"]!, "the ConfigMap"), "the ConfigMap")).toEqual(network);
  });
});
