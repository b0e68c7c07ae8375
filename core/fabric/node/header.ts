import { createHash, randomBytes } from "node:crypto";
import { common } from "@hyperledger/fabric-protos";
// A CommonJS module whose exports Node cannot find by reading it: only the default import works.
import timestampMessages from "google-protobuf/google/protobuf/timestamp_pb.js";

export interface ChannelHeaderFields {
  readonly type: common.HeaderTypeMap[keyof common.HeaderTypeMap];
  /** Empty for a call that belongs to no channel. */
  readonly channel: string;
  readonly now: Date;
  readonly transactionId?: string;
  readonly extension?: Uint8Array;
  /** SHA-256 of the client's TLS certificate: the server refuses to deliver to another (common/deliver/binding.go). */
  readonly tlsCertificateHash?: Uint8Array;
}

export function channelHeader(fields: ChannelHeaderFields): common.ChannelHeader {
  const header = new common.ChannelHeader();
  header.setType(fields.type);
  header.setVersion(1);
  header.setTimestamp(timestampMessages.Timestamp.fromDate(fields.now));
  header.setChannelId(fields.channel);
  if (fields.transactionId !== undefined) header.setTxId(fields.transactionId);
  if (fields.extension) header.setExtension$(fields.extension);
  if (fields.tlsCertificateHash) header.setTlsCertHash(fields.tlsCertificateHash);
  return header;
}

export function signatureHeader(creator: Uint8Array, nonce: Uint8Array): common.SignatureHeader {
  const header = new common.SignatureHeader();
  header.setCreator(creator);
  header.setNonce(nonce);
  return header;
}

/** 24 random bytes, as many as Fabric's own clients take (protoutil/commonutils.go, CreateNonce). */
export function newNonce(): Uint8Array {
  return randomBytes(24);
}

/** The transaction's ID, hexadecimal. Fabric computes it too, and refuses any other (protoutil/proputils.go, ComputeTxID). */
export function transactionId(nonce: Uint8Array, creator: Uint8Array): string {
  return createHash("sha256").update(nonce).update(creator).digest("hex");
}

export function payload(
  channel: common.ChannelHeader,
  signature: common.SignatureHeader,
  data: Uint8Array,
): common.Payload {
  const header = new common.Header();
  header.setChannelHeader(channel.serializeBinary());
  header.setSignatureHeader(signature.serializeBinary());
  const message = new common.Payload();
  message.setHeader(header);
  message.setData(data);
  return message;
}
