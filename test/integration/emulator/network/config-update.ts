import { createHash, createPrivateKey, randomBytes } from "node:crypto";
import { signers } from "@hyperledger/fabric-gateway";
import { common, orderer } from "@hyperledger/fabric-protos";
import timestampPb from "google-protobuf/google/protobuf/timestamp_pb.js";
import type { KeyPair } from "./authority.ts";
import { credentialsOf, optionsFor, serializedIdentity } from "./client.ts";
import { raftMetadata, type ConsenterSpec } from "./genesis.ts";
import { channelId, type Network, type OrdererNode } from "./network.ts";

/** Somebody who signs. */
export interface SignerOf {
  readonly mspId: string;
  readonly pair: KeyPair;
}

export interface BroadcastAnswer {
  readonly status: number;
  readonly info: string;
}

async function sign({ pair }: SignerOf, message: Uint8Array): Promise<Uint8Array> {
  const signer = signers.newPrivateKeySigner(createPrivateKey(pair.key));
  return signer(createHash("sha256").update(message).digest());
}

function signatureHeader({ mspId, pair }: SignerOf): Uint8Array {
  const header = new common.SignatureHeader();
  header.setCreator(serializedIdentity(mspId, pair.certificate));
  header.setNonce(randomBytes(24));
  return header.serializeBinary();
}

/** A signed message of a channel. */
export async function signedEnvelope(
  type: common.HeaderTypeMap[keyof common.HeaderTypeMap],
  content: Uint8Array,
  signer: SignerOf,
  on = channelId,
): Promise<common.Envelope> {
  const channelHeader = new common.ChannelHeader();
  channelHeader.setType(type);
  channelHeader.setChannelId(on);
  channelHeader.setTimestamp(timestampPb.Timestamp.fromDate(new Date()));
  const header = new common.Header();
  header.setChannelHeader(channelHeader.serializeBinary());
  header.setSignatureHeader(signatureHeader(signer));
  const payload = new common.Payload();
  payload.setHeader(header);
  payload.setData(content);
  const envelope = new common.Envelope();
  envelope.setPayload(payload.serializeBinary());
  envelope.setSignature(await sign(signer, envelope.getPayload_asU8()));
  return envelope;
}

/** Changes who the Raft consenters are; `version` is the value's current one. */
export async function consenterUpdate(
  consenters: readonly ConsenterSpec[],
  version: number,
  signer: SignerOf,
): Promise<common.Envelope> {
  const consensus = new orderer.ConsensusType();
  consensus.setType("etcdraft");
  consensus.setMetadata(raftMetadata(consenters).serializeBinary());
  const value = new common.ConfigValue();
  value.setVersion(version + 1);
  value.setModPolicy("Admins");
  value.setValue(consensus.serializeBinary());
  const group = (changed?: common.ConfigValue): common.ConfigGroup => {
    const inner = new common.ConfigGroup();
    inner.setModPolicy("Admins");
    if (changed !== undefined) {
      inner.getValuesMap().set("ConsensusType", changed);
    }
    const root = new common.ConfigGroup();
    root.setModPolicy("Admins");
    root.getGroupsMap().set("Orderer", inner);
    return root;
  };
  const update = new common.ConfigUpdate();
  update.setChannelId(channelId);
  update.setReadSet(group());
  update.setWriteSet(group(value));
  const content = new common.ConfigUpdateEnvelope();
  content.setConfigUpdate(update.serializeBinary());
  const signature = new common.ConfigSignature();
  signature.setSignatureHeader(signatureHeader(signer));
  const message = Buffer.concat([signature.getSignatureHeader_asU8(), content.getConfigUpdate_asU8()]);
  signature.setSignature(await sign(signer, message));
  content.addSignatures(signature);
  return signedEnvelope(common.HeaderType.CONFIG_UPDATE, content.serializeBinary(), signer);
}

export async function broadcast(
  network: Network,
  node: OrdererNode,
  envelope: common.Envelope,
): Promise<BroadcastAnswer> {
  const address = `127.0.0.1:${node.port}`;
  const credentials = credentialsOf(network.ordererOrganization);
  const client = new orderer.AtomicBroadcastClient(address, credentials, optionsFor(address));
  const stream = client.broadcast();
  try {
    return await new Promise((resolve, reject) => {
      stream.once("data", (response: orderer.BroadcastResponse) =>
        resolve({ status: response.getStatus(), info: response.getInfo() }),
      );
      stream.once("error", reject);
      stream.write(envelope);
    });
  } finally {
    stream.end();
    client.close();
  }
}
