import { createHash } from "node:crypto";
import { common } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";

/** The header's DataHash: SHA-256 of the block's envelopes one after another (protoutil/blockutils.go, ComputeBlockDataHash). */
export function blockDataHash(data: common.BlockData): Uint8Array {
  const hash = createHash("sha256");
  for (const envelope of data.getDataList_asU8()) hash.update(envelope);
  return hash.digest();
}

/** Reads a block file's bytes. Throws `invalid`. */
export function readBlock(bytes: Uint8Array): common.Block {
  try {
    const block = common.Block.deserializeBinary(bytes);
    if (block.getHeader() && block.getData()) return block;
  } catch (cause) {
    throw new FabricError("invalid", "expected a block, found other bytes", { cause });
  }
  throw new FabricError("invalid", "expected a block with header and data, found none");
}

/** The number of the latest configuration block when this block was cut. */
export function lastConfigIndex(block: common.Block): number {
  const metadata = block.getMetadata()?.getMetadataList_asU8() ?? [];
  const value = (index: number) =>
    common.Metadata.deserializeBinary(metadata[index] ?? new Uint8Array()).getValue_asU8();
  // Since 2.0 the number is part of what the orderer signs; the metadata LAST_CONFIG is kept for older readers (common.proto).
  const signed = common.OrdererBlockMetadata.deserializeBinary(value(common.BlockMetadataIndex.SIGNATURES));
  const last =
    signed.getLastConfig() ?? common.LastConfig.deserializeBinary(value(common.BlockMetadataIndex.LAST_CONFIG));
  return last.getIndex();
}

/** One transaction of a block: its header and what it carries. */
export interface BlockEntry {
  readonly channelHeader: common.ChannelHeader;
  readonly data: Uint8Array;
}

/** The block's transactions in order. Throws `invalid`. */
export function blockEntries(block: common.Block): readonly BlockEntry[] {
  return (block.getData()?.getDataList_asU8() ?? []).map((bytes) => {
    const payload = common.Payload.deserializeBinary(common.Envelope.deserializeBinary(bytes).getPayload_asU8());
    const header = payload.getHeader();
    if (!header) throw new FabricError("invalid", "expected a payload with a header, found none");
    return {
      channelHeader: common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8()),
      data: payload.getData_asU8(),
    };
  });
}
