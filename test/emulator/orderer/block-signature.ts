import { common } from "@hyperledger/fabric-protos";
import { headerBytes, setMetadata } from "../channel/block.ts";
import { newSignatureHeader, type Signer } from "../msp/signer.ts";

/** An orderer's signature over a block, serialized; `lastConfig` is the number of the last configuration block (orderer/common/multichannel/blockwriter.go). */
export function newBlockSignature(block: common.Block, lastConfig: number, signer: Signer): Uint8Array {
  const header = newSignatureHeader(signer).serializeBinary();
  const signature = new common.MetadataSignature();
  signature.setSignatureHeader(header);
  signature.setSignature(signer.sign(Buffer.concat([signedValue(lastConfig), header, headerBytes(block)])));
  return signature.serializeBinary();
}

/** Puts signatures made by `newBlockSignature` into the block's metadata. */
export function setBlockSignatures(block: common.Block, lastConfig: number, signatures: readonly Uint8Array[]): void {
  const legacy = new common.Metadata();
  legacy.setValue(newLastConfig(lastConfig).serializeBinary());
  setMetadata(block, common.BlockMetadataIndex.LAST_CONFIG, legacy.serializeBinary());
  const metadata = new common.Metadata();
  metadata.setValue(signedValue(lastConfig));
  metadata.setSignaturesList(signatures.map((bytes) => common.MetadataSignature.deserializeBinary(bytes)));
  setMetadata(block, common.BlockMetadataIndex.SIGNATURES, metadata.serializeBinary());
}

function signedValue(lastConfig: number): Uint8Array {
  const value = new common.OrdererBlockMetadata();
  value.setLastConfig(newLastConfig(lastConfig));
  value.setConsenterMetadata(new common.Metadata().serializeBinary());
  return value.serializeBinary();
}

function newLastConfig(index: number): common.LastConfig {
  const lastConfig = new common.LastConfig();
  lastConfig.setIndex(index);
  return lastConfig;
}
