import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { V1StatefulSet } from "../../../../core/kubernetes/client-node.ts";
import { namespaceOf, networkConfigMap } from "../../../../core/network/resources/namespace.ts";
import { ordererObjects } from "../../../../core/network/workload/orderer.ts";
import { peerObjects } from "../../../../core/network/workload/peer.ts";
import { safeguards } from "../../../../core/network/workload/safeguards.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import { ordererNodes, peerNodes } from "../../../../core/network/resources/nodes.ts";
import { parseNetwork } from "../../../../core/network/resources/spec.ts";
import { parseYaml } from "../../../../core/network/resources/spec-file.ts";

interface PodMonitor {
  readonly spec: {
    readonly selector: {
      readonly matchLabels: Readonly<Record<string, string>>;
      readonly matchExpressions: readonly { readonly key: string; readonly values: readonly string[] }[];
    };
    readonly podTargetLabels: readonly string[];
    readonly podMetricsEndpoints: readonly { readonly port: string }[];
  };
}

const network = networkFor({ name: "trade", storageClass: "fast" });
const unprivileged = networkFor({ name: "trade", profile: "restricted" });
const documents = (objects: readonly object[]) => objects.map((object) => stringify(object)).join("---\n");

describe("objects of a network", () => {
  test.each([
    ["orderer", ordererObjects(network, ordererNodes(network)[0]!)],
    ["peer", peerObjects(network, peerNodes(network)[0]!)],
    [
      "namespaces",
      [network.spec.ordererOrganization, network.spec.peerOrganizations[0]!].map((org) => namespaceOf(network, org)),
    ],
    [
      "safeguards",
      [network.spec.ordererOrganization, network.spec.peerOrganizations[0]!].flatMap((org) => safeguards(network, org)),
    ],
    ["peer-restricted", peerObjects(unprivileged, peerNodes(unprivileged)[0]!)],
    ["namespace-restricted", [namespaceOf(unprivileged, unprivileged.spec.peerOrganizations[0]!)]],
  ])("%s", async (name, objects) => {
    await expect(documents(objects)).toMatchFileSnapshot(`golden/${name}.yaml`);
  });

  test("the Prometheus operator's PodMonitor finds each of them by its operations port", async () => {
    const file = join(import.meta.dirname, "../../../../manifests/overlays/monitoring/node-pod-monitor.yaml");
    const { selector, podTargetLabels, podMetricsEndpoints } = (parse(await readFile(file, "utf8")) as PodMonitor).spec;
    const nodes = [
      ...ordererObjects(network, ordererNodes(network)[0]!),
      ...peerObjects(network, peerNodes(network)[0]!),
    ];
    const templates = nodes.flatMap((object) =>
      object.kind === "StatefulSet" ? [(object as V1StatefulSet).spec!.template] : [],
    );
    expect(templates).toHaveLength(2);
    for (const { metadata, spec } of templates) {
      expect(metadata?.labels).toMatchObject(selector.matchLabels);
      for (const { key, values } of selector.matchExpressions) expect(values).toContain(metadata?.labels?.[key]);
      for (const label of podTargetLabels) expect(metadata?.labels).toHaveProperty([label]);
      const named = spec?.containers.flatMap(({ ports = [] }) => ports.map(({ name }) => name));
      for (const { port } of podMetricsEndpoints) expect(named).toContain(port);
    }
  });

  test("peers are told when their chaincode is idle", () => {
    const annotations = (idle: string | undefined) => {
      const asked = networkFor({ chaincodeIdle: idle });
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
