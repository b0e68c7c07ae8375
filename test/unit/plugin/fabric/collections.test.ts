import { peer } from "@hyperledger/fabric-protos";
import { describe, expect, it } from "vitest";
import { collectionsBytes, parseCollections } from "../../../../plugin/fabric/collections.ts";

const secrets = {
  name: "secrets",
  policy: "OR('Org1MSP.member', 'Org2MSP.member')",
  requiredPeerCount: 1,
  maxPeerCount: 3,
  blockToLive: 10,
  memberOnlyRead: true,
  endorsementPolicy: { signaturePolicy: "OR('Org1MSP.peer')" },
};

describe("collections", () => {
  it("are written as Fabric reads them", () => {
    const [config] = peer.CollectionConfigPackage.deserializeBinary(collectionsBytes([secrets])).getConfigList();
    const collection = config?.getStaticCollectionConfig();
    expect(collection?.toObject()).toMatchObject({
      name: "secrets",
      requiredPeerCount: 1,
      maximumPeerCount: 3,
      blockToLive: 10,
      memberOnlyRead: true,
      memberOnlyWrite: false,
    });
    expect(collection?.getMemberOrgsPolicy()?.getSignaturePolicy()?.getIdentitiesList()).toHaveLength(2);
    expect(collection?.getEndorsementPolicy()?.hasSignaturePolicy()).toBe(true);
  });

  it("are nothing at all when there are none", () => {
    expect(collectionsBytes([])).toHaveLength(0);
  });

  it("come from the peer command's file", () => {
    expect(parseCollections(JSON.stringify([secrets]))).toEqual([secrets]);
  });

  it.each([
    ["{", "expected JSON"],
    ["{}", "expected a list of collections"],
    ['[{"name":"a"}]', 'expected name and policy in collection 1, found {"name":"a"}'],
    ["[null]", "found null"],
  ])("do not come from %s", (text, message) => expect(() => parseCollections(text)).toThrow(message));

  it.each([
    ["a bad name", { ...secrets, name: "_x" }, 'found "_x"'],
    ["too few peers", { ...secrets, requiredPeerCount: 4 }, "found 4 and 3"],
    ["a bad policy", { ...secrets, policy: "Org1" }, "expected AND("],
  ])("are refused for %s", (_, collection, message) => expect(() => collectionsBytes([collection])).toThrow(message));

  it("are refused twice", () => expect(() => collectionsBytes([secrets, secrets])).toThrow("found secrets twice"));
});
