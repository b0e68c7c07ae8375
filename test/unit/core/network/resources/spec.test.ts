import { describe, expect, test } from "vitest";
import { networkFor } from "../../../../../core/network/resources/network-request.ts";
import { nodesOf, hostOf, removals } from "../../../../../core/network/resources/nodes.ts";
import {
  memoryLimitOf,
  organizations,
  parseNetwork,
  type FabricNetwork,
} from "../../../../../core/network/resources/spec.ts";

const hosts = (network: ReturnType<typeof networkFor>) => organizations(network).flatMap(nodesOf).map(hostOf);

describe("networkFor", () => {
  test("without options: three orderers, two organizations with a peer each", () => {
    const network = networkFor({});
    expect(hosts(network)).toEqual([
      "orderer0.orderer",
      "orderer1.orderer",
      "orderer2.orderer",
      "peer0.org1",
      "peer0.org2",
    ]);
    expect(network.spec.peerOrganizations.map(({ mspId }) => mspId)).toEqual(["Org1MSP", "Org2MSP"]);
    expect(network.spec.images.peer).toBe("docker.io/hyperledger/fabric-peer:3.1");
  });

  test("what is not asked for stays as it is", () => {
    const existing = networkFor({
      name: "trade",
      peerOrganizations: ["air", "sea"],
      peers: 2,
      fabricVersion: "2.5",
    });
    expect(networkFor({}, existing)).toEqual(existing);
    const grown = networkFor({ peers: 3 }, existing);
    expect(removals(existing, grown)).toEqual([]);
    expect(removals(grown, existing)).toEqual(["peer2.air", "peer2.sea"]);
  });

  test("a profile is kept until another is asked for", () => {
    expect(networkFor({}).spec.profile).toBeUndefined();
    const existing = networkFor({ profile: "restricted" });
    expect(networkFor({ peers: 2 }, existing).spec.profile).toBe("restricted");
    expect(networkFor({ profile: "privileged" }, existing).spec.profile).toBe("privileged");
  });

  test("idle chaincode is stopped until told otherwise", () => {
    const existing = networkFor({ chaincodeIdle: "10m" });
    expect(networkFor({}, existing).spec.chaincodeIdle).toBe("10m");
    expect(networkFor({ chaincodeIdle: false }, existing)).toEqual(networkFor({}));
  });

  test("what a node may use at most is kept until told otherwise, each for itself", () => {
    const first = networkFor({ peerMemory: "8Gi" });
    expect(first.spec.memory).toEqual({ peer: "8Gi" });
    const second = networkFor({ ordererMemory: "3Gi" }, first);
    expect(second.spec.memory).toEqual({ peer: "8Gi", orderer: "3Gi" });
    const limits = (network: FabricNetwork) => [memoryLimitOf(network, "peer"), memoryLimitOf(network, "orderer")];
    expect([networkFor({}), first, second].map(limits)).toEqual([
      ["4Gi", "2Gi"],
      ["8Gi", "2Gi"],
      ["8Gi", "3Gi"],
    ]);
    expect(() => networkFor({ ordererMemory: "64Mi" })).toThrow(
      "expected at least 128Mi in spec.memory.orderer, found 64Mi",
    );
    expect(() => networkFor({ peerMemory: "8 GB" })).toThrow("spec.memory.peer: expected a quantity like 5Gi");
  });

  test("a new version brings its images", () => {
    const existing = networkFor({ fabricVersion: "2.5", peerImage: "example.com/peer:1" });
    expect(networkFor({}, existing).spec.images.peer).toBe("example.com/peer:1");
    expect(networkFor({ fabricVersion: "3.1" }, existing).spec.images.peer).toBe(
      "docker.io/hyperledger/fabric-peer:3.1",
    );
  });
});

describe("parseNetwork", () => {
  const good = networkFor({});
  const withSpec = (change: object) => ({ ...good, spec: { ...good.spec, ...change } });

  test.each([
    ["a wrong name", { ...good, metadata: { name: "Fabric!" } }, /metadata\.name: expected a DNS label/],
    ["a field that does not exist", { ...good, spec: { ...good.spec, peres: 1 } }, /spec: Unrecognized key: "peres"/],
    ["no peer organization", withSpec({ peerOrganizations: [] }), /spec\.peerOrganizations/],
    ["nothing", undefined, /\(whole\)/],
    ["no time to be idle", withSpec({ chaincodeIdle: "00m" }), /chaincodeIdle: expected a time from 5s/],
    ["too short a time to be idle", withSpec({ chaincodeIdle: "4s" }), /chaincodeIdle: expected a time from 5s/],
    [
      "idle chaincode without Docker",
      withSpec({ profile: "restricted", chaincodeIdle: "10m" }),
      /chaincodeIdle needs Docker, which profile restricted has not/,
    ],
    ["a time in words", withSpec({ chaincodeIdle: "10 minutes" }), /chaincodeIdle: expected a time from 5s/],
    [
      "two organizations in one namespace",
      withSpec({ peerOrganizations: [{ name: "a", mspId: "A", namespace: "orderer", peers: 1 }] }),
      /two organizations have the namespace orderer/,
    ],
  ])("refuses %s and names the field", (_, value, message) => {
    expect(() => parseNetwork(value, "network.yaml")).toThrow(message);
    expect(() => parseNetwork(value, "network.yaml")).toThrow(/^network\.yaml/);
  });
});
