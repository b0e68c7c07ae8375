import { createPublicKey, verify, X509Certificate } from "node:crypto";
import { common } from "@hyperledger/fabric-protos";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
} from "../../../../../core/fabric/identity/certificate-authority.ts";
import type { ChannelConfig } from "../../../../../core/fabric/channel/config.ts";
import {
  computeConfigUpdate,
  configUpdateEnvelope,
  policiesToSatisfy,
  signConfigUpdate,
} from "../../../../../core/fabric/channel/config-update.ts";
import {
  addConsenter,
  addOrdererOrganization,
  addPeerOrganization,
  anchorPeers,
  consenters,
  ordererEndpoints,
  removeConsenter,
  removeOrganization,
  replaceConsenter,
  setAnchorPeers,
  setOrdererEndpoints,
} from "../../../../../core/fabric/channel/config-change.ts";
import { channelGroup } from "../../../../../core/fabric/channel/genesis.ts";
import { newSigningIdentity } from "../../../../../core/fabric/identity/signing-identity.ts";
import { bftChannel, fixtureMsp, raftChannel } from "../channel-fixture.ts";
import { applyConfigUpdate } from "../config-apply.ts";
import { groupJson } from "../config-json.ts";

function configWith(group: common.ConfigGroup): ChannelConfig {
  const config = new common.Config();
  config.setChannelGroup(group);
  return { channel: "mychannel", config };
}

const raft = configWith(channelGroup(raftChannel));
const bft = configWith(channelGroup(bftChannel));

interface GroupModel {
  readonly version: number;
  readonly modPolicy: string;
  readonly values: Readonly<Record<string, { version: number; modPolicy: string; value: string }>>;
  readonly policies: Readonly<Record<string, { version: number; modPolicy: string; type: number }>>;
  readonly groups: Readonly<Record<string, GroupModel>>;
}

const key = fc.constantFrom("A", "B", "C");
const version = fc.integer({ min: 0, max: 3 });
const modPolicy = fc.constantFrom("Admins", "Writers");
const leaf = fc.constant<Record<string, GroupModel>>({});
const groupModel = (depth: number): fc.Arbitrary<GroupModel> =>
  fc.record({
    version,
    modPolicy,
    values: fc.dictionary(key, fc.record({ version, modPolicy, value: fc.constantFrom("x", "y") })),
    policies: fc.dictionary(key, fc.record({ version, modPolicy, type: fc.integer({ min: 1, max: 2 }) })),
    groups: depth === 0 ? leaf : fc.dictionary(key, groupModel(depth - 1)),
  });

function build(model: GroupModel): common.ConfigGroup {
  const group = new common.ConfigGroup();
  group.setVersion(model.version);
  group.setModPolicy(model.modPolicy);
  for (const [name, entry] of Object.entries(model.values)) {
    const value = new common.ConfigValue();
    value.setVersion(entry.version);
    value.setModPolicy(entry.modPolicy);
    value.setValue(Buffer.from(entry.value));
    group.getValuesMap().set(name, value);
  }
  for (const [name, entry] of Object.entries(model.policies)) {
    const policy = new common.ConfigPolicy();
    policy.setVersion(entry.version);
    policy.setModPolicy(entry.modPolicy);
    policy.setPolicy(new common.Policy());
    policy.getPolicy()?.setType(entry.type);
    group.getPoliciesMap().set(name, policy);
  }
  for (const [name, child] of Object.entries(model.groups)) group.getGroupsMap().set(name, build(child));
  return group;
}

/** What a configuration means: everything but versions. */
function meaning(group: common.ConfigGroup): unknown {
  return JSON.parse(
    JSON.stringify(group.toObject(), (name, value: unknown) => (name === "version" ? undefined : value)),
  );
}

describe("a computed config update", () => {
  test("applied as Fabric applies it, gives the wanted configuration", () => {
    fc.assert(
      fc.property(groupModel(2), groupModel(2), (before, after) => {
        const [original, updated] = [build(before), build(after)];
        const update = computeConfigUpdate(configWith(original), configWith(updated));
        const same = JSON.stringify(meaning(original)) === JSON.stringify(meaning(updated));
        expect(update === undefined).toBe(same);
        expect(meaning(update ? applyConfigUpdate(original, update) : original)).toEqual(meaning(updated));
      }),
      { numRuns: 100 },
    );
  }, 60_000);

  test("says no more than it has to", async () => {
    const update = computeConfigUpdate(raft, setAnchorPeers(raft, "Org2MSP", [{ host: "peer0.org2", port: 7051 }]));
    const json = {
      channel: update?.getChannelId(),
      read_set: groupJson(update?.getReadSet() ?? new common.ConfigGroup()),
      write_set: groupJson(update?.getWriteSet() ?? new common.ConfigGroup()),
    };
    await expect(`${JSON.stringify(json, null, 2)}\n`).toMatchFileSnapshot("golden/anchor-peers-update.json");
  });

  test.each([
    ["anchor peers", () => setAnchorPeers(raft, "Org1MSP", []), ["/Channel/Application/Org1MSP/Admins"]],
    [
      "a new organization",
      () => addPeerOrganization(raft, { msp: fixtureMsp("Org3MSP") }),
      ["/Channel/Application/Admins"],
    ],
    [
      "a new consenter",
      () => addConsenter(raft, { host: "o9", port: 1, clientTlsCertificate: "c", serverTlsCertificate: "s" }),
      ["/Channel/Orderer/Admins"],
    ],
    [
      "two things at once",
      () => addPeerOrganization(setAnchorPeers(raft, "Org1MSP", []), { msp: fixtureMsp("Org3MSP") }),
      ["/Channel/Application/Admins", "/Channel/Application/Org1MSP/Admins"],
    ],
  ])("of %s tells whose consent it needs", (_, change, policies) => {
    const update = computeConfigUpdate(raft, change());
    expect(update && policiesToSatisfy(raft, update)).toEqual(policies);
  });

  test("is signed over header and update, and again as an envelope", async () => {
    const now = new Date();
    const authority = await createCertificateAuthority({ commonName: "ca", organization: "Org1", now });
    const credential = await issueEnrolmentCertificate(authority, { commonName: "admin", role: "admin", now });
    const identity = newSigningIdentity("Org1MSP", credential);
    const update = computeConfigUpdate(raft, setAnchorPeers(raft, "Org1MSP", []));
    if (!update) throw new Error("expected an update");
    const signature = await signConfigUpdate(update, identity);
    const envelope = await configUpdateEnvelope(update, [signature], identity);

    const key = createPublicKey(
      new X509Certificate(credential.certificate).publicKey.export({ type: "spki", format: "pem" }),
    );
    const signed = Buffer.concat([signature.getSignatureHeader_asU8(), update.serializeBinary()]);
    expect(verify("sha256", signed, key, signature.getSignature_asU8())).toBe(true);
    expect(verify("sha256", envelope.getPayload_asU8(), key, envelope.getSignature_asU8())).toBe(true);
    const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
    const header = common.ChannelHeader.deserializeBinary(
      payload.getHeader()?.getChannelHeader_asU8() ?? new Uint8Array(),
    );
    expect([header.getType(), header.getChannelId()]).toEqual([common.HeaderType.CONFIG_UPDATE, "mychannel"]);
    const carried = common.ConfigUpdateEnvelope.deserializeBinary(payload.getData_asU8());
    expect(Buffer.from(carried.getConfigUpdate_asU8())).toEqual(Buffer.from(update.serializeBinary()));
    expect(carried.getSignaturesList()).toHaveLength(1);
  });
});

describe("changing a configuration", () => {
  const address = { host: "peer0.org2", port: 7051 };

  test("works on a copy", () => {
    const before = Buffer.from(raft.config.serializeBinary());
    expect(anchorPeers(setAnchorPeers(raft, "Org2MSP", [address]), "Org2MSP")).toEqual([address]);
    expect(Buffer.from(raft.config.serializeBinary())).toEqual(before);
  });

  test("reads what genesis wrote", () => {
    expect(anchorPeers(raft, "Org1MSP")).toEqual([{ host: "peer0.org1", port: 7051 }]);
    expect(anchorPeers(raft, "Org2MSP")).toEqual([]);
    expect(ordererEndpoints(raft, "OrdererMSP").map(({ host }) => host)).toEqual([
      "orderer0.orderers",
      "orderer1.orderers",
      "orderer2.orderers",
    ]);
    expect(consenters(raft)).toEqual(raftChannel.consensus.consenters);
    expect(consenters(bft)).toEqual(bftChannel.consensus.consenters);
  });

  test("adds and removes organizations", () => {
    const added = addPeerOrganization(raft, { msp: fixtureMsp("Org3MSP"), anchorPeers: [address] });
    expect(anchorPeers(added, "Org3MSP")).toEqual([address]);
    const removed = removeOrganization(added, "application", "Org3MSP");
    expect(computeConfigUpdate(raft, removed)).toBeUndefined();
    expect(() => addPeerOrganization(added, { msp: fixtureMsp("Org3MSP") })).toThrow(
      "expected no organization Org3MSP",
    );
    expect(() => removeOrganization(raft, "application", "Org9MSP")).toThrow("/Channel/Application/Org9MSP");
    const orderers = addOrdererOrganization(raft, { msp: fixtureMsp("Orderer2MSP"), endpoints: [address] });
    const moved = setOrdererEndpoints(orderers, "Orderer2MSP", [{ host: "o", port: 1 }]);
    expect(ordererEndpoints(moved, "Orderer2MSP")).toEqual([{ host: "o", port: 1 }]);
  });

  test("replaces one consenter's certificates and leaves the others", () => {
    const renewed = {
      host: "orderer1.orderers",
      port: 7050,
      clientTlsCertificate: "new c",
      serverTlsCertificate: "new s",
    };
    expect(consenters(replaceConsenter(raft, renewed)).map((entry) => entry.serverTlsCertificate)).toEqual([
      "server certificate of orderer0\n",
      "new s",
      "server certificate of orderer2\n",
    ]);
    expect(() => replaceConsenter(raft, { ...renewed, port: 1 })).toThrow("found orderer0.orderers:7050, orderer1");
  });

  test("keeps a BFT consenter's identity, and the policy that names it", () => {
    const renewed = {
      host: "orderer1.orderers",
      port: 7050,
      clientTlsCertificate: "new c",
      serverTlsCertificate: "new s",
    };
    const update = computeConfigUpdate(bft, replaceConsenter(bft, renewed));
    expect(consenters(replaceConsenter(bft, renewed))[1]).toMatchObject({
      id: 2,
      identity: "identity of orderer1\n",
      ...renewed,
    });
    const written = update?.getWriteSet()?.getGroupsMap().get("Orderer");
    expect(
      written
        ?.getValuesMap()
        .getEntryList()
        .map(([name]) => name),
    ).toEqual(["Orderers"]);
    expect(written?.getPoliciesMap().getEntryList()).toEqual([]);
    expect(() => addConsenter(bft, { ...renewed, host: "orderer9" })).toThrow(
      "expected the identity of the BFT consenter",
    );
  });

  test("adds and removes consenters", () => {
    const added = addConsenter(raft, { ...address, clientTlsCertificate: "c", serverTlsCertificate: "s" });
    expect(consenters(added)).toHaveLength(4);
    expect(() => addConsenter(added, { ...address, clientTlsCertificate: "d", serverTlsCertificate: "e" })).toThrow(
      "found one",
    );
    expect(computeConfigUpdate(raft, removeConsenter(added, address))).toBeUndefined();
    expect(() => removeConsenter(raft, address)).toThrow("expected a consenter peer0.org2:7051");
  });
});
