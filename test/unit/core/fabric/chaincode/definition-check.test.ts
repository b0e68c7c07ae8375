import { describe, expect, test } from "vitest";
import { collectionsBytes } from "../../../../../core/fabric/chaincode/collections.ts";
import { configOf } from "../../../../../core/fabric/channel/config.ts";
import { checkDefinition } from "../../../../../core/fabric/chaincode/definition-check.ts";
import { parseEndorsementPolicy } from "../../../../../core/fabric/policy/endorsement-policy.ts";
import { genesisBlock } from "../../../../../core/fabric/channel/genesis.ts";
import { raftChannel } from "../channel-fixture.ts";

const config = configOf(genesisBlock(raftChannel, { now: new Date(0) }));
const [a, b] = ["'Org1MSP.peer'", "'Org2MSP.peer'"];

const check = (policy: string, collectionPolicy?: string) => {
  const collection = {
    name: "secrets",
    policy: "OR('Org1MSP.member')",
    endorsementPolicy: { signaturePolicy: collectionPolicy },
  };
  const collections =
    collectionPolicy === undefined ? [] : [collection as Parameters<typeof collectionsBytes>[0][number]];
  checkDefinition(config, {
    endorsementPolicy: parseEndorsementPolicy(policy).serializeBinary(),
    collections: collectionsBytes(collections),
  });
};

describe("an endorsement policy", () => {
  test.each([
    `AND(${a}, ${b})`,
    `OutOf(2, ${a}, ${b})`,
    // What asks for nothing, or for too much, beside what decides.
    `AND(${a}, OutOf(0, ${b}))`,
    `OR(${a}, OutOf(2, ${b}))`,
    "/Channel/Application/Endorsement",
    "/Channel/Application/Org1MSP/Endorsement",
    // From the channel on, as a peer takes it.
    "Application/Endorsement",
  ])("%s is taken", (policy) => expect(() => check(policy)).not.toThrow());

  test.each([`OutOf(3, ${a}, ${b})`, `AND(${a}, OutOf(2, ${b}))`, `OutOf(2, ${a}, OutOf(2, ${b}))`])(
    "%s can never be satisfied: it is refused",
    (policy) => {
      expect(() => check(policy)).toThrow(
        expect.objectContaining({
          code: "usage",
          message: expect.stringMatching(
            /^expected the endorsement policy to be one that endorsements can satisfy, found .*: it asks for more than there are$/,
          ) as string,
        }),
      );
    },
  );

  test.each([`OutOf(0, ${a}, ${b})`, `OR(${a}, OutOf(0, ${b}))`])(
    "%s is satisfied without any endorsement: it is refused",
    (policy) => {
      expect(() => check(policy)).toThrow(
        expect.objectContaining({
          code: "usage",
          message: expect.stringMatching(
            /^expected the endorsement policy to ask for an endorsement, found .*OutOf.*: Fabric takes it as satisfied without any, so anybody could write anything$/,
          ) as string,
        }),
      );
    },
  );

  test("of a collection is held to the same, and named", () => {
    expect(() => check(`OR(${a})`, `OutOf(2, ${a})`)).toThrow(
      "expected the endorsement policy of collection secrets to be one that endorsements can satisfy, found OutOf(2, 'Org1MSP.peer')",
    );
  });

  test.each([
    ["Channel/Application/Endorsement", "/Channel/Application/Endorsement is one"],
    ["/Application/Endorsement", undefined],
    ["/Channel/Application/endorsement", undefined],
    ["/Channel/Application/", undefined],
    ["/", undefined],
  ])("%s is no policy of the channel: it is refused, with what may be meant", (policy, hint) => {
    expect(() => check(policy)).toThrow(
      expect.objectContaining({
        code: "usage",
        message: expect.stringMatching(
          /^expected a policy of .* \(.*\/Channel\/Application\/Endorsement.*\) in the endorsement policy, found .*$/,
        ) as string,
        hint,
      }),
    );
  });

  test("of a collection, by a path without its first slash, is refused", () => {
    const endorsementPolicy = { channelConfigPolicy: "Endorsement" };
    const collections = collectionsBytes([{ name: "secrets", policy: "OR('Org1MSP.member')", endorsementPolicy }]);
    expect(() =>
      checkDefinition(config, { endorsementPolicy: parseEndorsementPolicy(`OR(${a})`).serializeBinary(), collections }),
    ).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(
          "in the endorsement policy of collection secrets, found Endorsement",
        ) as string,
        hint: "/Channel/Application/Endorsement is one",
      }),
    );
  });

  test("of strangers is refused", () => {
    expect(() => check("OR('Org9MSP.peer')")).toThrow("found Org9MSP");
  });
});
