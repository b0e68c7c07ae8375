import { ledger, peer } from "@hyperledger/fabric-protos";
import { printable, type Json } from "./json.ts";

const { KVRWSet, HashedRWSet } = ledger.rwset.kvrwset;

/** What an endorsement changes: read and write sets by namespace, and the event. Of hashes, how many there are. */
export function decodedAction(action: peer.ChaincodeAction): { readonly [key: string]: Json | undefined } {
  const sets = ledger.rwset.TxReadWriteSet.deserializeBinary(action.getResults_asU8()).getNsRwsetList();
  const event = peer.ChaincodeEvent.deserializeBinary(action.getEvents_asU8());
  const chaincode = action.getChaincodeId();
  return {
    chaincode: chaincode && `${chaincode.getName()} ${chaincode.getVersion()}`.trim(),
    sets: sets.length === 0 ? undefined : Object.fromEntries(sets.map((set) => [set.getNamespace(), decodedSet(set)])),
    event:
      event.getEventName() === ""
        ? undefined
        : { name: event.getEventName(), payload: printable(event.getPayload_asU8()) },
  };
}

function decodedSet(set: ledger.rwset.NsReadWriteSet): Json {
  const plain = KVRWSet.deserializeBinary(set.getRwset_asU8());
  const hashed = set
    .getCollectionHashedRwsetList()
    .map((one) => [one.getCollectionName(), decodedHashes(one)] as const);
  return {
    reads: objectOf(plain.getReadsList().map((read) => [read.getKey(), versionOf(read.getVersion())])),
    queries: listOf(plain.getRangeQueriesInfoList().map((query) => `${query.getStartKey()}..${query.getEndKey()}`)),
    writes: objectOf(
      plain
        .getWritesList()
        .map((write) => [write.getKey(), write.getIsDelete() ? null : printable(write.getValue_asU8())]),
    ),
    collections: objectOf(hashed),
  };
}

function decodedHashes(set: ledger.rwset.CollectionHashedReadWriteSet): Json {
  const hashes = HashedRWSet.deserializeBinary(set.getHashedRwset_asU8());
  return { reads: hashes.getHashedReadsList().length, writes: hashes.getHashedWritesList().length };
}

/** Where a key was written last. Which block that is depends on how orderers cut them. */
const versionOf = (version: ledger.rwset.kvrwset.Version | undefined): Json =>
  version === undefined ? null : `block ${version.getBlockNum()}`;

const objectOf = (entries: readonly (readonly [string, Json])[]): Json | undefined =>
  entries.length === 0 ? undefined : Object.fromEntries(entries);

const listOf = (list: readonly string[]): Json | undefined =>
  list.length === 0 ? undefined : list.map((text) => JSON.stringify(text));
