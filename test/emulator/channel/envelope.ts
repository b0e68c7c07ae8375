import timestampPb from "google-protobuf/google/protobuf/timestamp_pb.js";
import { common } from "@hyperledger/fabric-protos";
import { newSignatureHeader, type Signer } from "../msp/signer.ts";
import type { SignedData } from "../policy/policy.ts";

const { Timestamp } = timestampPb;
type Timestamp = InstanceType<typeof Timestamp>;

export type HeaderType = common.HeaderTypeMap[keyof common.HeaderTypeMap];

/** An envelope with its headers read. */
export interface OpenEnvelope {
  readonly envelope: common.Envelope;
  readonly payload: common.Payload;
  readonly channelHeader: common.ChannelHeader;
  readonly signatureHeader: common.SignatureHeader;
}

/** Reads the headers; throws Fabric's text when there are none (protoutil/txutils.go). */
export function openEnvelope(envelope: common.Envelope): OpenEnvelope {
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const header = payload.getHeader();
  if (header === undefined) {
    throw new Error("envelope must have a Header");
  }
  return {
    envelope,
    payload,
    channelHeader: common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8()),
    signatureHeader: common.SignatureHeader.deserializeBinary(header.getSignatureHeader_asU8()),
  };
}

export function signedDataOf({ envelope, signatureHeader }: OpenEnvelope): SignedData {
  return {
    data: envelope.getPayload_asU8(),
    identity: signatureHeader.getCreator_asU8(),
    signature: envelope.getSignature_asU8(),
  };
}

/** A message of a channel, signed by a node. */
export function newSignedEnvelope(
  type: HeaderType,
  channelId: string,
  data: Uint8Array,
  signer: Signer,
  now: Date,
): common.Envelope {
  const channelHeader = new common.ChannelHeader();
  channelHeader.setType(type);
  channelHeader.setChannelId(channelId);
  channelHeader.setTimestamp(timestamp(now));
  const header = new common.Header();
  header.setChannelHeader(channelHeader.serializeBinary());
  header.setSignatureHeader(newSignatureHeader(signer).serializeBinary());
  const payload = new common.Payload();
  payload.setHeader(header);
  payload.setData(data);
  const envelope = new common.Envelope();
  envelope.setPayload(payload.serializeBinary());
  envelope.setSignature(signer.sign(envelope.getPayload_asU8()));
  return envelope;
}

function timestamp(now: Date): Timestamp {
  const stamp = new Timestamp();
  stamp.fromDate(now);
  return stamp;
}
