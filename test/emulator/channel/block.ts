import { createHash } from "node:crypto";
import { common } from "@hyperledger/fabric-protos";

const metadataIndex = common.BlockMetadataIndex;

/** Throws in the words of Go's library, which Fabric passes on (google.golang.org/protobuf, proto/decode.go). */
export function readBlock(bytes: Uint8Array): common.Block {
  try {
    return common.Block.deserializeBinary(bytes);
  } catch (cause) {
    throw new Error("proto: cannot parse invalid wire-format data", { cause });
  }
}

/** A block after another, with its hashes and empty metadata (protoutil/blockutils.go). */
export function newBlock(previous: common.Block, envelopes: readonly Uint8Array[]): common.Block {
  const data = new common.BlockData();
  data.setDataList([...envelopes]);
  const header = new common.BlockHeader();
  header.setNumber(numberOf(previous) + 1);
  header.setPreviousHash(headerHash(previous));
  header.setDataHash(dataHash(data));
  const block = new common.Block();
  block.setHeader(header);
  block.setData(data);
  block.setMetadata(emptyMetadata());
  return block;
}

function emptyMetadata(): common.BlockMetadata {
  const metadata = new common.BlockMetadata();
  metadata.setMetadataList(Array.from({ length: Object.keys(metadataIndex).length }, () => new Uint8Array()));
  return metadata;
}

export function numberOf(block: common.Block): number {
  return block.getHeader()?.getNumber() ?? 0;
}

export function envelopesOf(block: common.Block): readonly Uint8Array[] {
  return block.getData()?.getDataList_asU8() ?? [];
}

export function headerHash(block: common.Block): Uint8Array {
  return sha256(headerBytes(block));
}

/** ASN.1 of (number, previous hash, data hash): what orderers hash and sign (protoutil/blockutils.go). */
export function headerBytes(block: common.Block): Uint8Array {
  const header = block.getHeader() ?? new common.BlockHeader();
  return der(
    0x30,
    Buffer.concat([
      der(0x02, integerBytes(header.getNumber())),
      der(0x04, Buffer.from(header.getPreviousHash_asU8())),
      der(0x04, Buffer.from(header.getDataHash_asU8())),
    ]),
  );
}

export function dataHash(data: common.BlockData): Uint8Array {
  return sha256(Buffer.concat(data.getDataList_asU8()));
}

export function metadataOf(block: common.Block, index: number): Uint8Array {
  return block.getMetadata()?.getMetadataList_asU8()[index] ?? new Uint8Array();
}

export function setMetadata(block: common.Block, index: number, value: Uint8Array): void {
  const metadata = block.getMetadata() ?? emptyMetadata();
  const list = [...metadata.getMetadataList_asU8()];
  while (list.length < Object.keys(metadataIndex).length) {
    list.push(new Uint8Array());
  }
  list[index] = value;
  metadata.setMetadataList(list);
  block.setMetadata(metadata);
}

/** The number of the last configuration block at or before this one. */
export function lastConfigOf(block: common.Block): number {
  if (numberOf(block) === 0) {
    return 0;
  }
  const signatures = common.Metadata.deserializeBinary(metadataOf(block, metadataIndex.SIGNATURES));
  const orderer = common.OrdererBlockMetadata.deserializeBinary(signatures.getValue_asU8());
  return orderer.getLastConfig()?.getIndex() ?? 0;
}

/** The type of a block's first envelope says whether it is a configuration block; such a block holds nothing else. */
export function isConfigBlock(block: common.Block): boolean {
  const [first] = envelopesOf(block);
  if (first === undefined) {
    return false;
  }
  const payload = common.Payload.deserializeBinary(common.Envelope.deserializeBinary(first).getPayload_asU8());
  const header = common.ChannelHeader.deserializeBinary(
    payload.getHeader()?.getChannelHeader_asU8() ?? new Uint8Array(),
  );
  return header.getType() === common.HeaderType.CONFIG;
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function integerBytes(value: number): Buffer {
  const hex = BigInt(value).toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
}
