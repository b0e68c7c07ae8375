import { describe, expect, test } from "vitest";
import { configOf, groupAt, type ChannelConfig } from "../../../../../core/fabric/channel/config.ts";
import { setPolicy, type PolicyText } from "../../../../../core/fabric/channel/config-group.ts";
import { checkDefinition } from "../../../../../core/fabric/chaincode/definition-check.ts";
import { collectionsBytes } from "../../../../../core/fabric/chaincode/collections.ts";
import { parseEndorsementPolicy } from "../../../../../core/fabric/policy/endorsement-policy.ts";
import { genesisBlock } from "../../../../../core/fabric/channel/genesis.ts";
import { enoughApprovals } from "../../../../../core/fabric/channel/lifecycle-endorsement.ts";
import { fixtureMsp, raftChannel } from "../channel-fixture.ts";

const three = [...raftChannel.peerOrganizations, { msp: fixtureMsp("Org3MSP") }];
function channel(policy?: PolicyText): ChannelConfig {
  const config = configOf(genesisBlock({ ...raftChannel, peerOrganizations: three }, { now: new Date(0) }));
  const application = groupAt(config.config, ["Application"]);
  if (policy === undefined) application.getPoliciesMap().del("LifecycleEndorsement");
  else setPolicy(application, "LifecycleEndorsement", policy);
  return config;
}

describe("approvals are enough to commit", () => {
  test.each([
    ["MAJORITY Endorsement", 1, false],
    ["MAJORITY Endorsement", 2, true],
    ["ANY Endorsement", 1, true],
    ["ANY Endorsement", 0, false],
    ["ALL Endorsement", 2, false],
    ["ALL Endorsement", 3, true],
    ["AND('Org1MSP.peer', 'Org2MSP.member')", 2, true],
    ["AND('Org1MSP.peer', 'Org2MSP.admin')", 3, false],
    ["OutOf(2, 'Org1MSP.peer', 'Org2MSP.peer', 'Org3MSP.peer')", 2, true],
    [undefined, 1, false],
    [undefined, 2, true],
  ] as const)("%s with %i of 3: %s", (policy, count, enough) => {
    const approved = new Set(["Org1MSP", "Org2MSP", "Org3MSP"].slice(0, count));
    expect(enoughApprovals(channel(policy))?.(approved)).toBe(enough);
  });

  test("approvals of strangers do not count", () => {
    expect(enoughApprovals(channel("MAJORITY Endorsement"))?.(new Set(["Org1MSP", "Org9MSP"]))).toBe(false);
  });
});

describe("a definition that the channel can use", () => {
  const check = (policy: string, collections: Uint8Array = new Uint8Array()) =>
    checkDefinition(channel("MAJORITY Endorsement"), {
      endorsementPolicy: parseEndorsementPolicy(policy).serializeBinary(),
      collections,
    });

  test.each(["/Channel/Application/Endorsement", "/Channel/Application/Admins", "OR('Org1MSP.peer', 'Org3MSP.admin')"])(
    "%s",
    (policy) => expect(() => check(policy)).not.toThrow(),
  );

  test.each([
    ["/Channel/Application/Nobody", /expected a policy of mychannel .*found \/Channel\/Application\/Nobody/],
    ["/Channel/Nothing/Endorsement", /found \/Channel\/Nothing\/Endorsement/],
    ["OR('Org9MSP.peer')", /in the endorsement policy, found Org9MSP/],
  ])("%s is refused", (policy, message) => expect(() => check(policy)).toThrow(message));

  test("a collection of strangers is refused", () => {
    const collections = collectionsBytes([{ name: "secrets", policy: "OR('Org1MSP.member', 'Org8MSP.member')" }]);
    expect(() => check("/Channel/Application/Endorsement", collections)).toThrow(
      /in collection secrets, found Org8MSP/,
    );
  });
});
