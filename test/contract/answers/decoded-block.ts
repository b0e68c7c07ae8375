import { common, peer } from "@hyperledger/fabric-protos";
import { nameOf, type Json } from "./json.ts";

/** A block without what only signs it. */
export function decodedBlock(block: common.Block): Json {
  const metadata = block.getMetadata()?.getMetadataList_asU8() ?? [];
  const codes = metadata[common.BlockMetadataIndex.TRANSACTIONS_FILTER] ?? new Uint8Array();
  const signatures = common.Metadata.deserializeBinary(
    metadata[common.BlockMetadataIndex.SIGNATURES] ?? new Uint8Array(),
  );
  const lastConfig = common.OrdererBlockMetadata.deserializeBinary(signatures.getValue_asU8()).getLastConfig();
  return {
    number: block.getHeader()?.getNumber() ?? null,
    transactions: (block.getData()?.getDataList_asU8() ?? []).map((bytes, index) =>
      decodedTransaction(bytes, codes[index]),
    ),
    signatures: signatures.getSignaturesList().length,
    lastConfig: lastConfig?.getIndex(),
  };
}

function decodedTransaction(bytes: Uint8Array, code: number | undefined): Json {
  const payload = common.Payload.deserializeBinary(common.Envelope.deserializeBinary(bytes).getPayload_asU8());
  const header = common.ChannelHeader.deserializeBinary(
    payload.getHeader()?.getChannelHeader_asU8() ?? new Uint8Array(),
  );
  const type = nameOf(common.HeaderType, header.getType());
  return {
    type,
    channel: header.getChannelId(),
    tx: header.getTxId() || undefined,
    code: code === undefined ? undefined : nameOf(peer.TxValidationCode, code),
    config: type === "CONFIG" ? decodedConfig(payload.getData_asU8()) : undefined,
  };
}

/** What updates have changed: elements of the configuration that are not as they were at first, and their versions. */
function decodedConfig(bytes: Uint8Array): Json {
  const config = common.ConfigEnvelope.deserializeBinary(bytes).getConfig() ?? new common.Config();
  const changed = versionsOf("/Channel", config.getChannelGroup() ?? new common.ConfigGroup());
  const inOrder = changed.filter(([, version]) => version > 0).sort(([a], [b]) => (a < b ? -1 : 1));
  return { sequence: config.getSequence(), changed: Object.fromEntries(inOrder) };
}

function versionsOf(path: string, group: common.ConfigGroup): readonly (readonly [string, number])[] {
  const found: (readonly [string, number])[] = [[path, group.getVersion()]];
  group.getValuesMap().forEach((value, name) => found.push([`${path} value ${name}`, value.getVersion()]));
  group.getPoliciesMap().forEach((policy, name) => found.push([`${path} policy ${name}`, policy.getVersion()]));
  group.getGroupsMap().forEach((inner, name) => found.push(...versionsOf(`${path}/${name}`, inner)));
  return found;
}

export function decodedFilteredBlock(block: peer.FilteredBlock): Json {
  return {
    channel: block.getChannelId(),
    number: block.getNumber(),
    transactions: block.getFilteredTransactionsList().map((transaction) => ({
      type: nameOf(common.HeaderType, transaction.getType()),
      tx: transaction.getTxid() || undefined,
      code: nameOf(peer.TxValidationCode, transaction.getTxValidationCode()),
    })),
  };
}
