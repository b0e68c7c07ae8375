import { ledger, peer } from "@hyperledger/fabric-protos";
import { sameVersion } from "./simulator.ts";
import { compareKeys, hashedNamespace, type State, type Version, type Write } from "./state.ts";

const { kvrwset } = ledger.rwset;
const { TxValidationCode } = peer;

/** Writes of the transactions that stand before this one in the same block. */
export class PendingWrites {
  readonly #keys = new Map<string, Write>();

  add(writes: readonly Write[]): void {
    writes.forEach((write) => this.#keys.set(`${write.namespace}\0${write.key}`, write));
  }

  has(namespace: string, key: string): boolean {
    return this.#keys.has(`${namespace}\0${key}`);
  }

  /** The keys of a namespace within a range that would be there, or no longer. */
  inRange(namespace: string, start: string, end: string): boolean {
    return [...this.#keys.values()].some(
      ({ namespace: written, key }) =>
        written === namespace && compareKeys(key, start) >= 0 && (end === "" || compareKeys(key, end) < 0),
    );
  }
}

/** VALID, or which conflict the transaction's reads have with what was written since (txmgmt/validation/validator.go). */
export function checkReads(set: ledger.rwset.TxReadWriteSet, state: State, pending: PendingWrites): number {
  for (const part of set.getNsRwsetList()) {
    const namespace = part.getNamespace();
    const publicSet = kvrwset.KVRWSet.deserializeBinary(part.getRwset_asU8());
    const stale = publicSet
      .getReadsList()
      .some((read) => isStale(state, pending, namespace, read.getKey(), read.getVersion()));
    if (stale || part.getCollectionHashedRwsetList().some((one) => hasStaleHash(one, namespace, state, pending))) {
      return TxValidationCode.MVCC_READ_CONFLICT;
    }
    if (publicSet.getRangeQueriesInfoList().some((info) => isPhantom(info, namespace, state, pending))) {
      return TxValidationCode.PHANTOM_READ_CONFLICT;
    }
  }
  return TxValidationCode.VALID;
}

/** The public and hashed writes of a transaction. */
export function writesOf(set: ledger.rwset.TxReadWriteSet): readonly Write[] {
  return set
    .getNsRwsetList()
    .flatMap((part) => [
      ...publicWrites(part.getNamespace(), part.getRwset_asU8()),
      ...part.getCollectionHashedRwsetList().flatMap((collection) => hashedWrites(part.getNamespace(), collection)),
    ]);
}

/** The writes of a serialized KVRWSet, into the namespace given. */
export function publicWrites(namespace: string, bytes: Uint8Array): readonly Write[] {
  return kvrwset.KVRWSet.deserializeBinary(bytes)
    .getWritesList()
    .map((write) => ({
      namespace,
      key: write.getKey(),
      value: write.getIsDelete() ? undefined : write.getValue_asU8(),
    }));
}

function hashedWrites(namespace: string, set: ledger.rwset.CollectionHashedReadWriteSet): readonly Write[] {
  return kvrwset.HashedRWSet.deserializeBinary(set.getHashedRwset_asU8())
    .getHashedWritesList()
    .map((write) => ({
      namespace: hashedNamespace(namespace, set.getCollectionName()),
      key: write.getKeyHash_asB64(),
      value: write.getIsDelete() ? undefined : write.getValueHash_asU8(),
    }));
}

function hasStaleHash(
  set: ledger.rwset.CollectionHashedReadWriteSet,
  namespace: string,
  state: State,
  pending: PendingWrites,
): boolean {
  const hashed = hashedNamespace(namespace, set.getCollectionName());
  return kvrwset.HashedRWSet.deserializeBinary(set.getHashedRwset_asU8())
    .getHashedReadsList()
    .some((read) => isStale(state, pending, hashed, read.getKeyHash_asB64(), read.getVersion()));
}

function isStale(
  state: State,
  pending: PendingWrites,
  namespace: string,
  key: string,
  read: ledger.rwset.kvrwset.Version | undefined,
): boolean {
  return pending.has(namespace, key) || !sameVersion(state.get(namespace, key)?.version, versionOf(read));
}

function isPhantom(
  info: ledger.rwset.kvrwset.RangeQueryInfo,
  namespace: string,
  state: State,
  pending: PendingWrites,
): boolean {
  const end = info.getEndKey();
  // A range that was not read to its end was read up to and including its last key.
  const upTo = info.getItrExhausted() || end === "" ? end : `${end}\0`;
  const now = state.range(namespace, info.getStartKey(), upTo);
  const then = info.getRawReads()?.getKvReadsList() ?? [];
  const unchanged =
    now.length === then.length &&
    now.every(([key, { version }], index) => {
      const read = then[index];
      return read?.getKey() === key && sameVersion(version, versionOf(read.getVersion()));
    });
  return !unchanged || pending.inRange(namespace, info.getStartKey(), upTo);
}

function versionOf(version: ledger.rwset.kvrwset.Version | undefined): Version | undefined {
  return version === undefined ? undefined : { block: version.getBlockNum(), transaction: version.getTxNum() };
}
