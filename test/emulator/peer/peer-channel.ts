import { EventEmitter } from "node:events";
import { common, msp } from "@hyperledger/fabric-protos";
import { dataHash, envelopesOf, headerBytes, isConfigBlock, metadataOf, numberOf } from "../channel/block.ts";
import { ChannelConfig, configOfBlock } from "../channel/channel-config.ts";
import { openEnvelope } from "../channel/envelope.ts";
import { openTransaction } from "../channel/transaction.ts";
import type { Faults } from "../faults.ts";
import { acceptablePrivateWrites, Ledger, type PrivateWrites } from "../ledger/ledger.ts";
import type { TxPvtReadWriteSet } from "../ledger/simulator.ts";
import type { Log } from "../log.ts";
import type { Signer } from "../msp/signer.ts";
import { validIdentities, type SignedData } from "../policy/policy.ts";
import { pullBlocks } from "../transport/block-puller.ts";
import type { Acl } from "./acl.ts";
import { collectionMembers } from "./lifecycle/endorsement-policy.ts";
import { validateBlock } from "./validator.ts";

export interface PeerChannelOptions {
  readonly directory: string;
  readonly signer: Signer;
  readonly acl: Acl;
  readonly faults: Faults;
  readonly log: Log;
  /** Asks other peers for the private writes of a transaction. */
  fetchPrivate(channelId: string, transactionId: string): Promise<readonly TxPvtReadWriteSet[]>;
}

/** One channel at a peer: its ledger, its configuration, and the blocks that come. */
export class PeerChannel {
  readonly channelId: string;
  readonly ledger: Ledger;
  /** Emits `config` when the configuration has changed. */
  readonly events = new EventEmitter();
  readonly #options: PeerChannelOptions;
  readonly #stop = new AbortController();
  #config: ChannelConfig;

  /** Opens a channel from disk, or begins it with its genesis block. */
  constructor(channelId: string, options: PeerChannelOptions, genesis?: common.Block) {
    this.channelId = channelId;
    this.#options = options;
    this.ledger = new Ledger(options.directory);
    if (genesis !== undefined && this.ledger.blocks.height === 0) {
      this.ledger.commit(genesis, [0], []);
    }
    this.#config = new ChannelConfig(channelId, configOfBlock(this.ledger.blocks.lastConfigBlock()).config);
  }

  get config(): ChannelConfig {
    return this.#config;
  }

  /** Begins to take blocks from the channel's orderers. */
  start(): void {
    void pullBlocks({
      channelId: this.channelId,
      endpoints: () => this.#config.ordererEndpoints(),
      next: () => this.ledger.blocks.height,
      take: (block) => this.#take(block),
      signer: this.#options.signer,
      wait: true,
      signal: this.#stop.signal,
      log: this.#options.log,
    });
  }

  close(): void {
    this.#stop.abort();
    this.ledger.close();
  }

  /** Throws when the signer may not use the resource. */
  check(resource: string, signed: SignedData): void {
    this.#options.acl.check(resource, this.#config, signed);
  }

  /** Whether peers of the organization may have the collection's data. */
  mayHave(mspId: string, namespace: string, collection: string): boolean {
    const members = collectionMembers(namespace, collection, this.#config, this.ledger.state);
    return members?.organizations.includes(mspId) ?? false;
  }

  async #take(block: common.Block): Promise<void> {
    if (numberOf(block) !== this.ledger.blocks.height) {
      return;
    }
    this.#checkBlock(block);
    const context = { config: this.#config, ledger: this.ledger, faults: this.#options.faults, log: this.#options.log };
    const codes = validateBlock(block, context);
    const privateWrites = await this.#privateWrites(block, codes);
    if (this.#stop.signal.aborted) {
      return;
    }
    this.ledger.commit(block, codes, privateWrites);
    this.#options.log(
      `[${this.channelId}] Committed block [${numberOf(block)}] with ${codes.length} transaction(s), codes ${codes.join(" ")}`,
    );
    if (isConfigBlock(block) && codes[0] === 0) {
      this.#config = new ChannelConfig(this.channelId, configOfBlock(block).config);
      this.events.emit("config");
    }
    this.events.emit("block");
  }

  /** The block must be signed as the channel's BlockValidation policy says (internal/pkg/peer/blocksprovider). */
  #checkBlock(block: common.Block): void {
    const hash = block.getHeader()?.getDataHash_asU8() ?? new Uint8Array();
    if (!Buffer.from(dataHash(block.getData() ?? new common.BlockData())).equals(hash)) {
      throw new Error(`Header.DataHash is different from Hash(block.Data) for block with id [${numberOf(block)}]`);
    }
    const metadata = common.Metadata.deserializeBinary(metadataOf(block, common.BlockMetadataIndex.SIGNATURES));
    const signed = metadata.getSignaturesList().map((signature) => {
      const byNumber = signature.getIdentifierHeader_asU8();
      const header = byNumber.length > 0 ? byNumber : signature.getSignatureHeader_asU8();
      return {
        data: Buffer.concat([metadata.getValue_asU8(), header, headerBytes(block)]),
        identity: byNumber.length > 0 ? this.#consenterIdentity(byNumber) : creatorOf(header),
        signature: signature.getSignature_asU8(),
      };
    });
    const policy = this.#config.policies.policy("/Channel/Orderer/BlockValidation");
    if (policy === undefined) {
      throw new Error("policy /Channel/Orderer/BlockValidation wasn't found");
    }
    policy.evaluate(validIdentities(signed, this.#config.msps));
  }

  /** BFT consenters sign under their number in the configuration (protoutil/blockutils.go BlockSignatureVerifier). */
  #consenterIdentity(header: Uint8Array): Uint8Array {
    const id = common.IdentifierHeader.deserializeBinary(header).getIdentifier();
    const found = this.#config.orderer.consenters.find(({ identity }) => identity?.id === id)?.identity;
    const serialized = new msp.SerializedIdentity();
    serialized.setMspid(found?.mspId ?? "");
    serialized.setIdBytes(Buffer.from(found?.certificate ?? ""));
    return serialized.serializeBinary();
  }

  async #privateWrites(block: common.Block, codes: readonly number[]): Promise<readonly PrivateWrites[]> {
    const found = await Promise.all(
      envelopesOf(block).map(async (bytes, index) => {
        const set =
          codes[index] === 0 ? await this.#privateWritesOf(common.Envelope.deserializeBinary(bytes)) : undefined;
        return set === undefined ? [] : [{ index, set }];
      }),
    );
    return found.flat();
  }

  async #privateWritesOf(envelope: common.Envelope): Promise<TxPvtReadWriteSet | undefined> {
    if (openEnvelope(envelope).channelHeader.getType() !== common.HeaderType.ENDORSER_TRANSACTION) {
      return undefined;
    }
    const { transactionId, readWriteSet } = openTransaction(envelope);
    const mayKeep = (namespace: string, collection: string): boolean =>
      this.mayHave(this.#options.signer.mspId, namespace, collection);
    const wanted = readWriteSet
      .getNsRwsetList()
      .some((part) =>
        part
          .getCollectionHashedRwsetList()
          .some(
            (one) => one.getPvtRwsetHash_asU8().length > 0 && mayKeep(part.getNamespace(), one.getCollectionName()),
          ),
      );
    if (!wanted) {
      return undefined;
    }
    const own = this.ledger.transient(transactionId);
    const candidates = own === undefined ? await this.#options.fetchPrivate(this.channelId, transactionId) : [own];
    const [first] = candidates.map((set) => acceptablePrivateWrites(set, readWriteSet, mayKeep));
    return first;
  }
}

function creatorOf(signatureHeader: Uint8Array): Uint8Array {
  return common.SignatureHeader.deserializeBinary(signatureHeader).getCreator_asU8();
}
