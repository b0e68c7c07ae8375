import { peer } from "@hyperledger/fabric-protos";
import { describe, expect, test } from "vitest";
import { collectionsBytes, parseCollections } from "../../../../../core/fabric/chaincode/collections.ts";

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
  test("are written as Fabric reads them", () => {
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

  test("are nothing at all when there are none", () => {
    expect(collectionsBytes([])).toHaveLength(0);
  });

  test("come from the peer command's file", () => {
    expect(parseCollections(JSON.stringify([secrets]))).toEqual([secrets]);
  });

  test("come with fields in any case, as Go reads them", () => {
    const text = '[{"Name":"a","POLICY":"p","memberonlyread":true,"EndorsementPolicy":{"SignaturePolicy":"x"}}]';
    expect(parseCollections(text)).toEqual([
      { name: "a", policy: "p", memberOnlyRead: true, endorsementPolicy: { signaturePolicy: "x" } },
    ]);
  });

  test("come with fields that are null, which are absent in Go", () => {
    const absent = { requiredPeerCount: null, maxPeerCount: null, blockToLive: null, memberOnlyRead: null };
    const text = JSON.stringify([
      { name: "a", policy: "p", ...absent, endorsementPolicy: null },
      { name: "b", policy: "p", endorsementPolicy: { signaturePolicy: null, ChannelConfigPolicy: "/Channel/x" } },
    ]);
    expect(parseCollections(text)).toEqual([
      { name: "a", policy: "p" },
      { name: "b", policy: "p", endorsementPolicy: { channelConfigPolicy: "/Channel/x" } },
    ]);
  });

  test.each(["/Channel/Application/Endorsement", "Application/Endorsement", "Admins"])(
    "name a policy of the channel, %s, as it is written",
    (path) => {
      const bytes = collectionsBytes([{ ...secrets, endorsementPolicy: { channelConfigPolicy: path } }]);
      const [config] = peer.CollectionConfigPackage.deserializeBinary(bytes).getConfigList();
      expect(config?.getStaticCollectionConfig()?.getEndorsementPolicy()?.getChannelConfigPolicyReference()).toBe(path);
    },
  );

  test.each([
    ['[\n  {"name": "a",}\n]', /^expected JSON in the collections file: a name .*, found "}" at line 2, column 16$/],
    ["{}", "expected a list of collections"],
    ['[{"name":"a"}]', 'expected name and policy in collection 1, found {"name":"a"}'],
    ["[null]", "found null"],
    ['[{"name":"a","policy":null}]', "expected name and policy in collection 1"],
    ['[{"name":"a","policy":"p","maxPeerCount":2147483648}]', /collection a: maxPeerCount: /],
    ['[{"name":"a","policy":"p","endorsementPolicy":"x"}]', /collection a: endorsementPolicy: /],
    ['[{"name":"a","policy":"p","memberOnlyReed":true}]', /collection a: fields: .*memberOnlyReed/],
    ['[{"name":"a","policy":"p","blockToLive":"3"}]', /collection a: blockToLive: /],
    ['[{"name":"a","policy":"p","endorsementPolicy":{"policy":"x"}}]', /collection a: endorsementPolicy: .*policy/],
  ])("do not come from %s", (text, message) => expect(() => parseCollections(text)).toThrow(message));

  test.each([
    ["a bad name", { ...secrets, name: "_x" }, 'found "_x"'],
    ["too few peers", { ...secrets, requiredPeerCount: 4 }, "found 4 and 3"],
    [
      "members that all have to agree",
      { ...secrets, policy: "AND('A.member','B.member')" },
      "expected OR of organizations",
    ],
    [
      "two endorsement policies",
      {
        ...secrets,
        endorsementPolicy: { signaturePolicy: "OR('A.peer')", channelConfigPolicy: "/Channel/Application/X" },
      },
      "found both",
    ],
    [
      "a bad endorsement policy",
      { ...secrets, endorsementPolicy: { signaturePolicy: "OR(" } },
      /collection secrets: .*at column 4/,
    ],
    ["a bad policy", { ...secrets, policy: "Org1" }, "expected AND("],
  ])("are refused for %s", (_, collection, message) => expect(() => collectionsBytes([collection])).toThrow(message));

  test("are refused twice", () => expect(() => collectionsBytes([secrets, secrets])).toThrow("found secrets twice"));
});
