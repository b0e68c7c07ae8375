import { common } from "@hyperledger/fabric-protos";
import { headerBytes, isConfigBlock, lastConfigOf, numberOf, setMetadata } from "../channel/block.ts";
import { newSignatureHeader, type Signer } from "../msp/signer.ts";

/** Adds the number of the last configuration block and the orderer's signature (orderer/common/multichannel/blockwriter.go). */
export function signBlock(block: common.Block, previous: common.Block, signer: Signer): void {
  const lastConfig = new common.LastConfig();
  lastConfig.setIndex(isConfigBlock(block) ? numberOf(block) : lastConfigOf(previous));
  const legacy = new common.Metadata();
  legacy.setValue(lastConfig.serializeBinary());
  setMetadata(block, common.BlockMetadataIndex.LAST_CONFIG, legacy.serializeBinary());

  const value = new common.OrdererBlockMetadata();
  value.setLastConfig(lastConfig);
  value.setConsenterMetadata(new common.Metadata().serializeBinary());
  const header = newSignatureHeader(signer).serializeBinary();
  const signature = new common.MetadataSignature();
  signature.setSignatureHeader(header);
  signature.setSignature(signer.sign(Buffer.concat([value.serializeBinary(), header, headerBytes(block)])));
  const signatures = new common.Metadata();
  signatures.setValue(value.serializeBinary());
  signatures.addSignatures(signature);
  setMetadata(block, common.BlockMetadataIndex.SIGNATURES, signatures.serializeBinary());
}
