import { createPrivateKey } from "node:crypto";
import { common } from "@hyperledger/fabric-protos";
import { beforeAll, describe, expect, test } from "vitest";
import { ChannelConfig, configOfBlock, milliseconds } from "../../emulator/channel/channel-config.ts";
import { applyConfigUpdate } from "../../emulator/channel/config-update.ts";
import { sign } from "../../emulator/msp/signature.ts";
import { Authority, type KeyPair } from "../../integration/emulator/network/authority.ts";
import { genesisBlock } from "../../integration/emulator/network/genesis.ts";
import type { Organization } from "../../integration/emulator/network/organization.ts";
import { serializedIdentity } from "../../integration/emulator/network/client.ts";

let channel: ChannelConfig;
let organizations: readonly Organization[];

async function organization(mspId: string): Promise<Organization> {
  const ca = await Authority.create(mspId);
  const admin = await ca.issue({ commonName: "admin", unit: "admin" });
  return { mspId, ca, tlsCa: ca, admin, adminMsp: "", tlsCaFile: "" };
}

beforeAll(async () => {
  organizations = await Promise.all(["Org1MSP", "Org2MSP", "OrdererMSP"].map(organization));
  const [org1, org2, ordererOrganization] = organizations as readonly [Organization, Organization, Organization];
  const { certificate } = await ordererOrganization.ca.issue({ commonName: "orderer", server: true });
  const anchor = { host: "peer0", port: 7051 };
  const block = genesisBlock({
    channelId: "mychannel",
    ordererOrganization,
    consenters: [{ host: "orderer", port: 7050, tlsCertificate: certificate }],
    organizations: [
      { organization: org1, anchor },
      { organization: org2, anchor },
    ],
  });
  const { channelId, config } = configOfBlock(block);
  channel = new ChannelConfig(channelId, config);
});

interface Change {
  readonly version?: number;
  readonly readVersion?: number;
  readonly channelId?: string;
  readonly modPolicy?: string;
}

/** An update of the batch timeout, which /Channel/Orderer/Admins must sign. */
function update(signers: readonly [KeyPair, string][], change: Change = {}): common.ConfigUpdateEnvelope {
  const value = new common.ConfigValue();
  value.setVersion(change.version ?? 1);
  value.setModPolicy(change.modPolicy ?? "Admins");
  value.setValue(Buffer.from([10, 2, 53, 115]));
  const group = (version: number, timeout?: common.ConfigValue): common.ConfigGroup => {
    const orderer = new common.ConfigGroup();
    orderer.setVersion(version);
    orderer.setModPolicy("Admins");
    if (timeout !== undefined) {
      orderer.getValuesMap().set("BatchTimeout", timeout);
    }
    const root = new common.ConfigGroup();
    root.setModPolicy("Admins");
    root.getGroupsMap().set("Orderer", orderer);
    return root;
  };
  const content = new common.ConfigUpdate();
  content.setChannelId(change.channelId ?? "mychannel");
  content.setReadSet(group(change.readVersion ?? 0));
  content.setWriteSet(group(change.readVersion ?? 0, value));
  const envelope = new common.ConfigUpdateEnvelope();
  envelope.setConfigUpdate(content.serializeBinary());
  for (const [pair, mspId] of signers) {
    const header = new common.SignatureHeader();
    header.setCreator(serializedIdentity(mspId, pair.certificate));
    const signature = new common.ConfigSignature();
    signature.setSignatureHeader(header.serializeBinary());
    const message = Buffer.concat([header.serializeBinary(), envelope.getConfigUpdate_asU8()]);
    signature.setSignature(sign(message, createPrivateKey(pair.key)));
    envelope.addSignatures(signature);
  }
  return envelope;
}

function adminOf(mspId: string): [KeyPair, string] {
  const found = organizations.find((one) => one.mspId === mspId);
  if (found === undefined) {
    throw new Error(`expected an organization ${mspId}`);
  }
  return [found.admin, mspId];
}

describe("a configuration update", () => {
  test("changes the value when the right administrators signed", () => {
    const config = applyConfigUpdate(channel, update([adminOf("OrdererMSP")]));
    expect(config.getSequence()).toBe(1);
    expect(new ChannelConfig("mychannel", config).orderer.batchTimeoutMilliseconds).toBe(5000);
    expect(channel.orderer.batchTimeoutMilliseconds).toBe(100);
  });

  test("needs the signatures that the element's mod_policy asks for", () => {
    expect(() => applyConfigUpdate(channel, update([adminOf("Org1MSP")]))).toThrow(
      "error validating DeltaSet: policy for [Value]  /Channel/Orderer/BatchTimeout not satisfied: implicit policy evaluation failed - 0 sub-policies were satisfied, but this policy requires 1 of the 'Admins' sub-policies to be satisfied",
    );
  });

  test("does not count a signature of another key", () => {
    const [, mspId] = adminOf("OrdererMSP");
    const [other] = adminOf("Org1MSP");
    const [real] = adminOf("OrdererMSP");
    expect(() => applyConfigUpdate(channel, update([[{ ...real, key: other.key }, mspId]]))).toThrow("not satisfied");
  });

  test("must be for the channel", () => {
    expect(() => applyConfigUpdate(channel, update([], { channelId: "other" }))).toThrow(
      "ConfigUpdate for channel 'other' but envelope for channel 'mychannel'",
    );
  });

  test("must have read what is there now", () => {
    expect(() => applyConfigUpdate(channel, update([], { readVersion: 3 }))).toThrow(
      "error validating ReadSet: proposed update requires that key [Group]  /Channel/Orderer be at version 3, but it is currently at version 0",
    );
  });

  test("must take the next version", () => {
    expect(() => applyConfigUpdate(channel, update([], { version: 2 }))).toThrow(
      "attempt to set key [Value]  /Channel/Orderer/BatchTimeout to version 2, but key is at version 0",
    );
  });

  test("must change something", () => {
    const envelope = update([]);
    const content = common.ConfigUpdate.deserializeBinary(envelope.getConfigUpdate_asU8());
    content.setWriteSet(content.getReadSet());
    envelope.setConfigUpdate(content.serializeBinary());
    expect(() => applyConfigUpdate(channel, envelope)).toThrow("delta set was empty -- update would have no effect");
  });

  test("must name a mod_policy", () => {
    expect(() => applyConfigUpdate(channel, update([], { modPolicy: "" }))).toThrow(
      "invalid mod_policy for element [Value]  /Channel/Orderer/BatchTimeout: mod_policy not set",
    );
  });
});

describe("a Go duration", () => {
  test.each([
    ["2s", 2000],
    ["500ms", 500],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["", 0],
  ])("%s", (duration, expected) => {
    expect(milliseconds(duration)).toBe(expected);
  });
});
