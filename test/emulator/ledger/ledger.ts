import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { common, ledger, peer } from "@hyperledger/fabric-protos";
import { envelopesOf, metadataOf, numberOf, setMetadata, sha256 } from "../channel/block.ts";
import { openEnvelope } from "../channel/envelope.ts";
import { openTransaction, type OpenTransaction } from "../channel/transaction.ts";
import { BlockStore } from "./block-store.ts";
import { publicWrites, writesOf } from "./mvcc.ts";
import { RecordFile } from "./record-file.ts";
import { Simulator, type TxPvtReadWriteSet } from "./simulator.ts";
import { privateNamespace, State, type Version, type Write } from "./state.ts";

const { TxValidationCode } = peer;

export interface CommittedTransaction {
  readonly block: number;
  readonly index: number;
  /** A value of peer.TxValidationCode. */
  readonly code: number;
}

export interface KeyModification {
  readonly transactionId: string;
  readonly timestamp: ReturnType<common.ChannelHeader["getTimestamp"]>;
  readonly value: Uint8Array | undefined;
}

/** Private writes of one transaction that this peer got hold of; `collections` are those it may keep. */
export interface PrivateWrites {
  readonly index: number;
  readonly set: TxPvtReadWriteSet;
}

/** One channel's ledger at a peer: blocks and private data on disk, and what follows from them in memory. */
export class Ledger {
  readonly blocks: BlockStore;
  readonly state = new State();
  readonly #privateFile: RecordFile;
  readonly #transientFile: RecordFile;
  readonly #transient = new Map<string, TxPvtReadWriteSet>();
  readonly #private = new Map<string, TxPvtReadWriteSet>();
  readonly #transactions = new Map<string, CommittedTransaction>();
  readonly #history = new Map<string, KeyModification[]>();

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#privateFile = new RecordFile(join(directory, "private-data"));
    this.#transientFile = new RecordFile(join(directory, "transient"));
    this.blocks = new BlockStore(join(directory, "blocks"));
    for (let index = 0; index < this.#privateFile.count; index++) {
      const { block, transaction, set } = readPrivate(this.#privateFile.read(index));
      this.#private.set(`${block} ${transaction}`, set);
    }
    for (let index = 0; index < this.#transientFile.count; index++) {
      const record = this.#transientFile.read(index);
      this.#transient.set(record.subarray(0, 64).toString(), deserializePrivate(record.subarray(64)));
    }
    for (let number = 0; number < this.blocks.height; number++) {
      this.#index(this.blocks.block(number));
    }
  }

  newSimulator(): Simulator {
    return new Simulator(this.state);
  }

  transaction(transactionId: string): CommittedTransaction | undefined {
    return this.#transactions.get(transactionId);
  }

  /** Newest first. */
  history(namespace: string, key: string): readonly KeyModification[] {
    return this.#history.get(`${namespace}\0${key}`) ?? [];
  }

  /** Keeps the private writes of a transaction that was endorsed here, until it is committed. */
  keepTransient(transactionId: string, set: TxPvtReadWriteSet): void {
    this.#transient.set(transactionId, set);
    this.#transientFile.append(Buffer.concat([Buffer.from(transactionId), set.serializeBinary()]));
  }

  transient(transactionId: string): TxPvtReadWriteSet | undefined {
    return this.#transient.get(transactionId);
  }

  /** The private writes of a transaction, whether committed or only endorsed. */
  privateWrites(transactionId: string): TxPvtReadWriteSet | undefined {
    const committed = this.#transactions.get(transactionId);
    const kept = committed && this.#private.get(`${committed.block} ${committed.index}`);
    return kept ?? this.#transient.get(transactionId);
  }

  /** Writes the block with the verdict on each of its transactions. */
  commit(block: common.Block, codes: readonly number[], privateWrites: readonly PrivateWrites[]): void {
    setMetadata(block, common.BlockMetadataIndex.TRANSACTIONS_FILTER, Uint8Array.from(codes));
    const records = privateWrites.map(({ index, set }) => {
      this.#private.set(`${numberOf(block)} ${index}`, set);
      return writePrivate(numberOf(block), index, set);
    });
    // Before the block: a block on disk has all that belongs to it.
    this.#privateFile.append(...records);
    this.#index(block);
    this.blocks.append(block);
  }

  close(): void {
    this.blocks.close();
    this.#privateFile.close();
    this.#transientFile.close();
  }

  #index(block: common.Block): void {
    const codes = metadataOf(block, common.BlockMetadataIndex.TRANSACTIONS_FILTER);
    envelopesOf(block).forEach((bytes, index) => {
      const envelope = common.Envelope.deserializeBinary(bytes);
      const code = codes[index] ?? TxValidationCode.NOT_VALIDATED;
      const version = { block: numberOf(block), transaction: index };
      this.#indexTransaction(envelope, code, version);
    });
  }

  #indexTransaction(envelope: common.Envelope, code: number, version: Version): void {
    const { channelHeader } = safeHeader(envelope);
    const transactionId = channelHeader?.getTxId() ?? "";
    if (transactionId !== "" && !this.#transactions.has(transactionId)) {
      this.#transactions.set(transactionId, { block: version.block, index: version.transaction, code });
    }
    if (code === TxValidationCode.VALID && channelHeader?.getType() === common.HeaderType.ENDORSER_TRANSACTION) {
      this.#apply(openTransaction(envelope), version);
    }
  }

  #apply(transaction: OpenTransaction, version: Version): void {
    const writes = writesOf(transaction.readWriteSet);
    this.state.apply(writes, version);
    const set = this.#private.get(`${version.block} ${version.transaction}`);
    if (set !== undefined) {
      this.state.apply(privateStateWrites(set), version);
    }
    for (const { namespace, key, value } of writes.filter((write) => !write.namespace.includes("$$h"))) {
      const entries = this.#history.get(`${namespace}\0${key}`) ?? [];
      const timestamp = transaction.channelHeader.getTimestamp();
      entries.unshift({ transactionId: transaction.transactionId, timestamp, value });
      this.#history.set(`${namespace}\0${key}`, entries);
    }
  }
}

/** The part of a private write set that `mayKeep` lets through and whose hash the transaction carries. */
export function acceptablePrivateWrites(
  set: TxPvtReadWriteSet,
  readWriteSet: ledger.rwset.TxReadWriteSet,
  mayKeep: (namespace: string, collection: string) => boolean,
): TxPvtReadWriteSet {
  const kept = new ledger.rwset.TxPvtReadWriteSet();
  for (const part of set.getNsPvtRwsetList()) {
    const publicPart = readWriteSet.getNsRwsetList().find((one) => one.getNamespace() === part.getNamespace());
    const collections = part.getCollectionPvtRwsetList().filter((collection) => {
      const hashed = publicPart
        ?.getCollectionHashedRwsetList()
        .find((one) => one.getCollectionName() === collection.getCollectionName());
      const matches = sha256(collection.getRwset_asU8()).equals(hashed?.getPvtRwsetHash_asU8() ?? new Uint8Array());
      return matches && mayKeep(part.getNamespace(), collection.getCollectionName());
    });
    if (collections.length > 0) {
      const keptPart = new ledger.rwset.NsPvtReadWriteSet();
      keptPart.setNamespace(part.getNamespace());
      keptPart.setCollectionPvtRwsetList(collections);
      kept.addNsPvtRwset(keptPart);
    }
  }
  return kept;
}

export function deserializePrivate(bytes: Uint8Array): TxPvtReadWriteSet {
  return ledger.rwset.TxPvtReadWriteSet.deserializeBinary(bytes);
}

function privateStateWrites(set: TxPvtReadWriteSet): readonly Write[] {
  return set
    .getNsPvtRwsetList()
    .flatMap((part) =>
      part
        .getCollectionPvtRwsetList()
        .flatMap((collection) =>
          publicWrites(
            privateNamespace(part.getNamespace(), collection.getCollectionName()),
            collection.getRwset_asU8(),
          ),
        ),
    );
}

function writePrivate(block: number, transaction: number, set: TxPvtReadWriteSet): Buffer {
  const header = Buffer.alloc(12);
  header.writeBigUInt64BE(BigInt(block));
  header.writeUInt32BE(transaction, 8);
  return Buffer.concat([header, set.serializeBinary()]);
}

function readPrivate(record: Buffer): {
  readonly block: number;
  readonly transaction: number;
  readonly set: TxPvtReadWriteSet;
} {
  return {
    block: Number(record.readBigUInt64BE(0)),
    transaction: record.readUInt32BE(8),
    set: deserializePrivate(record.subarray(12)),
  };
}

function safeHeader(envelope: common.Envelope): { readonly channelHeader: common.ChannelHeader | undefined } {
  try {
    return openEnvelope(envelope);
  } catch {
    return { channelHeader: undefined };
  }
}
