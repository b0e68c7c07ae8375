import { ledger, peer } from "@hyperledger/fabric-protos";
import { sha256 } from "../channel/block.ts";
import { compareKeys, hashedNamespace, privateNamespace, type State, type Version } from "./state.ts";

type TxPvtReadWriteSet = ledger.rwset.TxPvtReadWriteSet;
const { kvrwset } = ledger.rwset;

interface CollectionAccess {
  /** By key: Fabric sorts them so, although only hashes are written. */
  readonly hashedReads: Map<string, Version | undefined>;
  readonly writes: Map<string, Uint8Array | undefined>;
  readsValues: boolean;
}

interface RangeRead {
  readonly start: string;
  readonly end: string;
  readonly exhausted: boolean;
  readonly reads: readonly (readonly [string, Version])[];
}

interface NamespaceAccess {
  readonly reads: Map<string, Version | undefined>;
  readonly writes: Map<string, Uint8Array | undefined>;
  readonly ranges: RangeRead[];
  readonly collections: Map<string, CollectionAccess>;
}

export interface SimulationResults {
  readonly publicWrites: Uint8Array;
  readonly privateWrites: TxPvtReadWriteSet | undefined;
  readonly interest: peer.ChaincodeInterest;
}

export interface KeyValue {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Runs a transaction against the committed state and notes what it reads and writes. A write is not seen by later reads (core/ledger txmgr). */
export class Simulator {
  readonly #state: State;
  readonly #namespaces = new Map<string, NamespaceAccess>();

  constructor(state: State) {
    this.#state = state;
  }

  get(namespace: string, key: string): Uint8Array | undefined {
    const found = this.#state.get(namespace, key);
    const { reads } = this.#access(namespace);
    if (!reads.has(key)) {
      reads.set(key, found?.version);
    }
    return found?.value;
  }

  put(namespace: string, key: string, value: Uint8Array): void {
    checkKey(key);
    this.#access(namespace).writes.set(key, value);
  }

  delete(namespace: string, key: string): void {
    this.#access(namespace).writes.set(key, undefined);
  }

  /** At most `limit` values; the range counts as read as far as it was. */
  range(namespace: string, start: string, end: string, limit = Number.POSITIVE_INFINITY): readonly KeyValue[] {
    const found = this.#state.range(namespace, start, end);
    const taken = found.slice(0, limit);
    const exhausted = taken.length === found.length;
    this.#access(namespace).ranges.push({
      start,
      end: exhausted ? end : (taken.at(-1)?.[0] ?? end),
      exhausted,
      reads: taken.map(([key, { version }]) => [key, version]),
    });
    return taken.map(([key, { value }]) => ({ key, value }));
  }

  getPrivate(namespace: string, collection: string, key: string): Uint8Array | undefined {
    const hashed = this.#readHash(namespace, collection, key);
    this.#collection(namespace, collection).readsValues = true;
    const found = this.#state.get(privateNamespace(namespace, collection), key);
    if (hashed !== undefined && !sameVersion(found?.version, hashed.version)) {
      throw new Error(
        `private data matching public hash version is not available. Public hash version = ${text(hashed.version)}, Private data version = ${text(found?.version)}`,
      );
    }
    return found?.value;
  }

  getPrivateHash(namespace: string, collection: string, key: string): Uint8Array | undefined {
    return this.#readHash(namespace, collection, key)?.value;
  }

  putPrivate(namespace: string, collection: string, key: string, value: Uint8Array): void {
    checkKey(key);
    this.#collection(namespace, collection).writes.set(key, value);
  }

  deletePrivate(namespace: string, collection: string, key: string): void {
    this.#collection(namespace, collection).writes.set(key, undefined);
  }

  privateRange(namespace: string, collection: string, start: string, end: string): readonly KeyValue[] {
    return this.#state
      .range(privateNamespace(namespace, collection), start, end)
      .map(([key, { value }]) => ({ key, value }));
  }

  results(): SimulationResults {
    const names = [...this.#namespaces.keys()].sort(compareKeys);
    const publicSet = new ledger.rwset.TxReadWriteSet();
    const privateSet = new ledger.rwset.TxPvtReadWriteSet();
    for (const name of names) {
      const access = this.#access(name);
      publicSet.addNsRwset(namespaceSet(name, access));
      const collections = privateSets(access);
      if (collections.length > 0) {
        const set = new ledger.rwset.NsPvtReadWriteSet();
        set.setNamespace(name);
        set.setCollectionPvtRwsetList(collections);
        privateSet.addNsPvtRwset(set);
      }
    }
    return {
      publicWrites: publicSet.serializeBinary(),
      privateWrites: privateSet.getNsPvtRwsetList().length === 0 ? undefined : privateSet,
      interest: this.#interest(names),
    };
  }

  /** The chaincodes and collections whose endorsement policies the transaction is under (core/endorser buildChaincodeInterest). */
  #interest(names: readonly string[]): peer.ChaincodeInterest {
    const interest = new peer.ChaincodeInterest();
    for (const name of names.filter((one) => !systemNamespaces.has(one))) {
      const call = new peer.ChaincodeCall();
      call.setName(name);
      interest.addChaincodes(call);
      for (const [collection, { readsValues }] of this.#access(name).collections) {
        const inner = new peer.ChaincodeCall();
        inner.setName(name);
        inner.setCollectionNamesList([collection]);
        inner.setNoPrivateReads(!readsValues);
        interest.addChaincodes(inner);
      }
    }
    return interest;
  }

  #readHash(namespace: string, collection: string, key: string): ReturnType<State["get"]> {
    const hash = sha256(Buffer.from(key)).toString("base64");
    const found = this.#state.get(hashedNamespace(namespace, collection), hash);
    const { hashedReads } = this.#collection(namespace, collection);
    if (!hashedReads.has(key)) {
      hashedReads.set(key, found?.version);
    }
    return found;
  }

  #access(namespace: string): NamespaceAccess {
    const existing = this.#namespaces.get(namespace);
    const access = existing ?? { reads: new Map(), writes: new Map(), ranges: [], collections: new Map() };
    this.#namespaces.set(namespace, access);
    return access;
  }

  #collection(namespace: string, collection: string): CollectionAccess {
    const { collections } = this.#access(namespace);
    const existing = collections.get(collection);
    const access = existing ?? { hashedReads: new Map(), writes: new Map(), readsValues: false };
    collections.set(collection, access);
    return access;
  }
}

const systemNamespaces: ReadonlySet<string> = new Set(["_lifecycle", "cscc", "qscc", "lscc"]);

function checkKey(key: string): void {
  if (key === "") {
    throw new Error("empty key not supported");
  }
}

function namespaceSet(name: string, access: NamespaceAccess): ledger.rwset.NsReadWriteSet {
  const set = new ledger.rwset.NsReadWriteSet();
  set.setNamespace(name);
  const publicSet = new kvrwset.KVRWSet();
  publicSet.setReadsList(sorted(access.reads).map(([key, version]) => newRead(key, version)));
  publicSet.setWritesList(sorted(access.writes).map(([key, value]) => newWrite(key, value)));
  publicSet.setRangeQueriesInfoList(access.ranges.map(newRangeInfo));
  set.setRwset(publicSet.serializeBinary());
  for (const [collection, inner] of sorted(access.collections)) {
    set.addCollectionHashedRwset(hashedSet(collection, inner));
  }
  return set;
}

function hashedSet(collection: string, access: CollectionAccess): ledger.rwset.CollectionHashedReadWriteSet {
  const hashed = new kvrwset.HashedRWSet();
  for (const [key, version] of sorted(access.hashedReads)) {
    const read = new kvrwset.KVReadHash();
    read.setKeyHash(sha256(Buffer.from(key)));
    read.setVersion(newVersion(version));
    hashed.addHashedReads(read);
  }
  for (const [key, value] of sorted(access.writes)) {
    const write = new kvrwset.KVWriteHash();
    write.setKeyHash(sha256(Buffer.from(key)));
    write.setIsDelete(value === undefined);
    write.setValueHash(value === undefined ? new Uint8Array() : sha256(value));
    hashed.addHashedWrites(write);
  }
  const set = new ledger.rwset.CollectionHashedReadWriteSet();
  set.setCollectionName(collection);
  set.setHashedRwset(hashed.serializeBinary());
  set.setPvtRwsetHash(access.writes.size === 0 ? new Uint8Array() : sha256(privateBytes(access)));
  return set;
}

function privateSets(access: NamespaceAccess): ledger.rwset.CollectionPvtReadWriteSet[] {
  return sorted(access.collections)
    .filter(([, { writes }]) => writes.size > 0)
    .map(([collection, inner]) => {
      const set = new ledger.rwset.CollectionPvtReadWriteSet();
      set.setCollectionName(collection);
      set.setRwset(privateBytes(inner));
      return set;
    });
}

function privateBytes(access: CollectionAccess): Uint8Array {
  const set = new kvrwset.KVRWSet();
  set.setWritesList(sorted(access.writes).map(([key, value]) => newWrite(key, value)));
  return set.serializeBinary();
}

function newRead(key: string, version: Version | undefined): ledger.rwset.kvrwset.KVRead {
  const read = new kvrwset.KVRead();
  read.setKey(key);
  read.setVersion(newVersion(version));
  return read;
}

function newWrite(key: string, value: Uint8Array | undefined): ledger.rwset.kvrwset.KVWrite {
  const write = new kvrwset.KVWrite();
  write.setKey(key);
  write.setIsDelete(value === undefined);
  write.setValue(value ?? new Uint8Array());
  return write;
}

function newRangeInfo(range: RangeRead): ledger.rwset.kvrwset.RangeQueryInfo {
  const reads = new kvrwset.QueryReads();
  reads.setKvReadsList(range.reads.map(([key, version]) => newRead(key, version)));
  const info = new kvrwset.RangeQueryInfo();
  info.setStartKey(range.start);
  info.setEndKey(range.end);
  info.setItrExhausted(range.exhausted);
  info.setRawReads(reads);
  return info;
}

function newVersion(version: Version | undefined): ledger.rwset.kvrwset.Version | undefined {
  if (version === undefined) {
    return undefined;
  }
  const made = new kvrwset.Version();
  made.setBlockNum(version.block);
  made.setTxNum(version.transaction);
  return made;
}

function sorted<T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...map].sort(([one], [other]) => compareKeys(one, other));
}

export function sameVersion(one: Version | undefined, other: Version | undefined): boolean {
  return one?.block === other?.block && one?.transaction === other?.transaction;
}

function text(version: Version | undefined): string {
  return version === undefined ? "<nil>" : `{BlockNum: ${version.block}, TxNum: ${version.transaction}}`;
}

export type { TxPvtReadWriteSet };
