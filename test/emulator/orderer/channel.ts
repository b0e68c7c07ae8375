import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { common } from "@hyperledger/fabric-protos";
import { isConfigBlock, lastConfigOf, metadataOf, newBlock, numberOf, sha256 } from "../channel/block.ts";
import { ChannelConfig, configOfBlock, tlsRootsOf, type Consenter } from "../channel/channel-config.ts";
import { BlockStore } from "../ledger/block-store.ts";
import { messageOf, type Log } from "../log.ts";
import type { Signer } from "../msp/signer.ts";
import { validIdentities, type SignedData } from "../policy/policy.ts";
import { pullBlocks } from "../transport/block-puller.ts";
import type { DeliverChain } from "../transport/deliver.ts";
import { newBlockSignature, setBlockSignatures } from "./block-signature.ts";
import { BlockCutter } from "./block-cutter.ts";
import {
  findSelf,
  type ClusterChannel,
  type ClusterClient,
  type ClusterIdentity,
  type ClusterReply,
  type ClusterRequest,
  type SubmitReply,
} from "./cluster.ts";
import { newConfigMessage } from "./config-message.ts";
import { checkNormalMessage, RejectedMessage, sizeOf } from "./message-filter.ts";
import { Raft, type Proofs, type RaftReply } from "./raft.ts";
import { RaftLog } from "./raft-log.ts";

/** What every channel of one orderer shares. */
export interface OrdererNode {
  /** Below it the blocks of each channel. */
  readonly ledgerDirectory: string;
  /** Below it the log that the consenters of each channel agree on. */
  readonly walDirectory: string;
  readonly signer: Signer;
  readonly identity: ClusterIdentity;
  readonly cluster: ClusterClient;
  readonly log: Log;
}

/** As channel participation shows it (orderer/common/types/channelinfo.go). */
export interface ChannelInfo {
  readonly name: string;
  readonly url: string;
  readonly consensusRelation: "consenter" | "follower";
  readonly status: "active" | "onboarding";
  readonly height: number;
}

const leaderWatchMilliseconds = 2000;

/** One channel that the orderer has joined: as a consenter when the configuration names it, else following the others' blocks. */
export class OrdererChannel implements DeliverChain, ClusterChannel {
  readonly channelId: string;
  readonly blocks: BlockStore;
  readonly #node: OrdererNode;
  readonly #directory: string;
  readonly #cutter = new BlockCutter();
  readonly #joinBlock: common.Block | undefined;
  #config: ChannelConfig;
  #raft: Raft | undefined;
  #self: string | undefined;
  #following: AbortController | undefined;
  #leaderWatch: NodeJS.Timeout | undefined;
  /** The newest block that this leader made, committed or not. */
  #tail: common.Block | undefined;
  readonly #recent = new Set<string>();
  #leadership = new AbortController();
  #batchTimer: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();
  #closed = false;

  /** Opens the channel from disk; `joinBlock` is given when it is joined just now. */
  constructor(channelId: string, node: OrdererNode, joinBlock?: common.Block) {
    this.channelId = channelId;
    this.#node = node;
    this.#directory = join(node.ledgerDirectory, channelId);
    mkdirSync(this.#directory, { recursive: true });
    this.blocks = new BlockStore(join(this.#directory, "blocks"));
    this.#joinBlock = joinBlock === undefined ? readJoinBlock(this.#directory) : joinBlock;
    if (joinBlock !== undefined) {
      this.#begin(joinBlock);
    }
    this.#config = this.#currentConfig();
    this.#takeRole();
  }

  get config(): ChannelConfig {
    return this.#config;
  }

  get isConsenter(): boolean {
    return this.#raft !== undefined;
  }

  info(): Omit<ChannelInfo, "url"> {
    return {
      name: this.channelId,
      consensusRelation: this.#selfAmong(this.#config.orderer.consenters) === undefined ? "follower" : "consenter",
      status: this.#onboarding() ? "onboarding" : "active",
      height: this.blocks.height,
    };
  }

  ready(): boolean {
    return this.#raft === undefined || this.#raft.leader !== undefined;
  }

  sequence(): number {
    return this.#config.sequence;
  }

  checkReader(reader: SignedData): void {
    const policy = this.#config.policies.policy("/Channel/Readers");
    policy?.evaluate(validIdentities([reader], this.#config.msps));
  }

  consenters(): readonly Consenter[] {
    return this.#config.orderer.consenters;
  }

  /** Checks the message as this orderer sees it, then has the leader order it; throws RejectedMessage. */
  async submit(envelope: common.Envelope, isConfig: boolean): Promise<void> {
    const now = new Date();
    if (isConfig) {
      newConfigMessage(envelope, this.#config, this.#raft?.active() ?? [], this.#node.signer, now);
    } else {
      checkNormalMessage(envelope, this.#config, now);
    }
    const reply = await this.#submitToLeader(envelope, isConfig);
    if (reply.status !== common.Status.SUCCESS) {
      throw new RejectedMessage("SERVICE_UNAVAILABLE", reply.info);
    }
  }

  async handle(request: ClusterRequest): Promise<ClusterReply> {
    if (this.#raft === undefined) {
      throw new Error(`channel ${this.channelId} is not serviced by this node`);
    }
    if (request.kind !== "submit") {
      return this.#raft.handle(request);
    }
    return this.#lead(common.Envelope.deserializeBinary(request.envelope), request.isConfig);
  }

  close(): void {
    this.#closed = true;
    this.#stopConsenting();
    this.#following?.abort();
    this.blocks.close();
  }

  /** Forgets the channel, on disk too. */
  remove(): void {
    this.close();
    rmSync(this.#directory, { recursive: true, force: true });
    rmSync(this.#walDirectory(), { recursive: true, force: true });
  }

  #begin(joinBlock: common.Block): void {
    if (this.blocks.height === 0 && numberOf(joinBlock) === 0) {
      this.blocks.append(joinBlock);
    } else {
      writeFileSync(join(this.#directory, "join-block"), joinBlock.serializeBinary());
    }
  }

  #onboarding(): boolean {
    return this.#joinBlock !== undefined && this.blocks.height <= numberOf(this.#joinBlock);
  }

  /** While blocks are missing up to the join block, that block says who has them. */
  #currentConfig(): ChannelConfig {
    const block = this.#onboarding() && this.#joinBlock !== undefined ? this.#joinBlock : this.blocks.lastConfigBlock();
    return new ChannelConfig(this.channelId, configOfBlock(block).config);
  }

  #takeRole(): void {
    if (this.#closed) {
      return;
    }
    const self = this.#selfAmong(this.#config.orderer.consenters);
    if (self === undefined || this.#onboarding()) {
      this.#stopConsenting();
      this.#follow();
    } else if (self !== this.#self) {
      this.#following?.abort();
      this.#following = undefined;
      this.#stopConsenting();
      this.#consent(self);
    } else {
      this.#raft?.membersChanged();
    }
  }

  /** Fabric compares keys only when it starts: one whose key was replaced goes on until then, although the others no longer listen to it. */
  #selfAmong(consenters: readonly Consenter[]): string | undefined {
    const replaced = consenters.find(({ address }) => this.#raft !== undefined && address === this.#self);
    return (findSelf(consenters, this.#node.identity) ?? replaced)?.address;
  }

  #follow(): void {
    if (this.#following !== undefined) {
      return;
    }
    const following = new AbortController();
    this.#following = following;
    void pullBlocks({
      channelId: this.channelId,
      endpoints: () => this.#config.ordererEndpoints(),
      next: () => this.blocks.height,
      take: (block) => this.#takeFollowed(block),
      signer: this.#node.signer,
      wait: false,
      signal: following.signal,
      log: this.#node.log,
    });
  }

  #takeFollowed(block: common.Block): void {
    if (numberOf(block) < this.blocks.height) {
      return;
    }
    this.blocks.append(block);
    this.#node.log(`[channel: ${this.channelId}] Followed block [${numberOf(block)}]`);
    if (isConfigBlock(block) || !this.#onboarding()) {
      this.#config = this.#currentConfig();
      this.#takeRole();
    }
  }

  #consent(self: string): void {
    const directory = this.#walDirectory();
    mkdirSync(directory, { recursive: true });
    const log = new RaftLog(directory);
    this.#self = self;
    this.#leaderWatch = setInterval(() => this.#followWithoutLeader(), leaderWatchMilliseconds);
    this.#raft = new Raft({
      self,
      log,
      committed: this.#committedIn(log),
      members: () => this.#config.orderer.consenters.map(({ address }) => address),
      send: async (member, request) =>
        (await this.#node.cluster.ask(this.channelId, self, member, this.#clusterRoots(), request)) as RaftReply,
      quorum: (members) => (this.#isBft() ? bftQuorum(members) : Math.floor(members / 2) + 1),
      attest: this.#isBft() ? (index) => this.#attest(log, index) : undefined,
      proofsOf: (index) => this.#proofsOf(log, index),
      onCommit: ({ block }, proofs) => {
        if (block !== undefined) {
          this.#commit(common.Block.deserializeBinary(block), proofs);
        }
      },
      onLeading: (leading) => this.#leadingChanged(log, leading),
      logger: (message) => this.#node.log(`[channel: ${this.channelId}] ${message}`),
    });
  }

  /** A consenter that was removed may not hear of it from the others: without a leader it asks for their blocks (Fabric's eviction suspicion). */
  #followWithoutLeader(): void {
    if (this.#raft !== undefined && this.#raft.leader === undefined) {
      this.#follow();
    } else {
      this.#following?.abort();
      this.#following = undefined;
    }
  }

  /** Everything up to the ledger's newest block has been committed. */
  #committedIn(log: RaftLog): number {
    for (let index = log.lastIndex; index > 0; index--) {
      const { block } = log.entry(index);
      if (block !== undefined && numberOf(common.Block.deserializeBinary(block)) < this.blocks.height) {
        return index;
      }
    }
    return 0;
  }

  #stopConsenting(): void {
    clearInterval(this.#leaderWatch);
    this.#leadership.abort(new Error("chain is stopped"));
    this.#raft?.stop();
    this.#raft = undefined;
    this.#self = undefined;
  }

  /** BFT blocks carry the signatures of a quorum; otherwise every orderer signs its own copy. */
  #commit(block: common.Block, proofs: Proofs): void {
    if (numberOf(block) < this.blocks.height) {
      return;
    }
    const lastConfig = isConfigBlock(block) ? numberOf(block) : lastConfigOf(this.blocks.last);
    const own = this.#isBft() ? proofs : [newBlockSignature(block, lastConfig, this.#node.signer)];
    setBlockSignatures(block, lastConfig, own);
    this.blocks.append(block);
    this.#node.log(`[channel: ${this.channelId}] Wrote block [${numberOf(block)}]`);
    if (isConfigBlock(block)) {
      this.#config = this.#currentConfig();
      // Not while Raft is in the middle of its own work.
      setImmediate(() => this.#takeRole());
    }
  }

  #isBft(): boolean {
    return this.#config.orderer.type === "BFT";
  }

  #attest(log: RaftLog, index: number): Uint8Array {
    const { block } = log.entry(index);
    return block === undefined
      ? new Uint8Array()
      : newBlockSignature(common.Block.deserializeBinary(block), this.#lastConfigAt(log, index), this.#node.signer);
  }

  /** The last configuration block at or before an entry that may not be committed yet. */
  #lastConfigAt(log: RaftLog, index: number): number {
    for (let at = index; at > 0; at--) {
      const { block: bytes } = log.entry(at);
      const block = bytes && common.Block.deserializeBinary(bytes);
      if (block !== undefined && numberOf(block) < this.blocks.height) {
        return lastConfigOf(this.blocks.block(numberOf(block)));
      }
      if (block !== undefined && isConfigBlock(block)) {
        return numberOf(block);
      }
    }
    return lastConfigOf(this.blocks.last);
  }

  #proofsOf(log: RaftLog, index: number): Proofs {
    const { block } = log.entry(index);
    if (block === undefined) {
      return [];
    }
    const committed = this.blocks.block(numberOf(common.Block.deserializeBinary(block)));
    const signatures = metadataOf(committed, common.BlockMetadataIndex.SIGNATURES);
    return common.Metadata.deserializeBinary(signatures)
      .getSignaturesList()
      .map((signature) => signature.serializeBinary());
  }

  #leadingChanged(log: RaftLog, leading: boolean): void {
    this.#leadership.abort(new Error("lost leadership"));
    clearTimeout(this.#batchTimer);
    this.#cutter.cut();
    if (leading) {
      this.#leadership = new AbortController();
      const logged = lastBlockOf(log);
      const { last } = this.blocks;
      this.#tail = logged !== undefined && numberOf(logged) > numberOf(last) ? logged : last;
    }
  }

  async #submitToLeader(envelope: common.Envelope, isConfig: boolean): Promise<SubmitReply> {
    if (this.#raft === undefined || this.#self === undefined || this.#raft.leader === undefined) {
      throw new RejectedMessage("SERVICE_UNAVAILABLE", "no Raft leader");
    }
    if (this.#raft.leading) {
      return this.#lead(envelope, isConfig);
    }
    try {
      const { leader } = this.#raft;
      const request: ClusterRequest = { kind: "submit", envelope: envelope.serializeBinary(), isConfig };
      const roots = this.#clusterRoots();
      return (await this.#node.cluster.ask(this.channelId, this.#self, leader, roots, request)) as SubmitReply;
    } catch (error) {
      throw new RejectedMessage("SERVICE_UNAVAILABLE", `failed to submit to the leader: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Takes the message into the queue of this leader. */
  #lead(envelope: common.Envelope, isConfig: boolean): SubmitReply {
    if (!this.#raft?.leading) {
      return { status: common.Status.SERVICE_UNAVAILABLE, info: "no Raft leader" };
    }
    if (this.#isBft() && this.#isRepeated(envelope)) {
      return { status: common.Status.SUCCESS, info: "" };
    }
    const { signal } = this.#leadership;
    this.#queue = this.#queue
      .then(() => (isConfig ? this.#orderConfig(envelope, signal) : this.#orderNormal(envelope, signal)))
      .catch((error: unknown) =>
        this.#node.log(`[channel: ${this.channelId}] message not ordered: ${messageOf(error)}`),
      );
    return { status: common.Status.SUCCESS, info: "" };
  }

  /** Clients of a BFT channel send to every orderer. */
  #isRepeated(envelope: common.Envelope): boolean {
    const key = sha256(envelope.serializeBinary()).toString("hex");
    const repeated = this.#recent.has(key);
    this.#recent.add(key);
    if (this.#recent.size > 10_000) {
      this.#recent.clear();
    }
    return repeated;
  }

  async #orderNormal(envelope: common.Envelope, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // The configuration may have changed since the message came.
    checkNormalMessage(envelope, this.#config, new Date());
    const message = { bytes: envelope.serializeBinary(), size: sizeOf(envelope) };
    const batches = this.#cutter.ordered(message, this.#config.orderer);
    batches.forEach((batch) => this.#propose(batch.map(({ bytes }) => bytes)));
    if (!this.#cutter.hasPending) {
      clearTimeout(this.#batchTimer);
      this.#batchTimer = undefined;
    } else if (batches.length > 0 || this.#batchTimer === undefined) {
      this.#startBatchTimer(signal);
    }
  }

  #startBatchTimer(signal: AbortSignal): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = setTimeout(() => {
      this.#batchTimer = undefined;
      this.#queue = this.#queue.then(() => (signal.aborted ? undefined : this.#proposePending()));
    }, this.#config.orderer.batchTimeoutMilliseconds);
  }

  /** A configuration block stands alone, after everything before it and before everything after it. */
  async #orderConfig(update: common.Envelope, signal: AbortSignal): Promise<void> {
    this.#proposePending();
    await this.#settled(signal);
    const active = this.#raft?.active() ?? [];
    const message = newConfigMessage(update, this.#config, active, this.#node.signer, new Date());
    this.#propose([message.serializeBinary()]);
    await this.#settled(signal);
  }

  #proposePending(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    const batch = this.#cutter.cut();
    if (batch.length > 0) {
      this.#propose(batch.map(({ bytes }) => bytes));
    }
  }

  #propose(envelopes: readonly Uint8Array[]): void {
    const block = newBlock(this.#tail ?? this.blocks.last, envelopes);
    this.#tail = block;
    this.#raft?.propose(block.serializeBinary());
  }

  async #settled(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.blocks.waitFor(numberOf(this.#tail ?? this.blocks.last), signal);
  }

  #clusterRoots(): readonly string[] {
    return this.#config.orderer.organizations.flatMap(({ msp }) => tlsRootsOf(msp));
  }

  #walDirectory(): string {
    return join(this.#node.walDirectory, this.channelId);
  }
}

/** orderer/consensus/smartbft: of n, f may be faulty. */
function bftQuorum(members: number): number {
  const faulty = Math.floor((members - 1) / 3);
  return Math.ceil((members + faulty + 1) / 2);
}

function readJoinBlock(directory: string): common.Block | undefined {
  const path = join(directory, "join-block");
  return existsSync(path) ? common.Block.deserializeBinary(readFileSync(path)) : undefined;
}

function lastBlockOf(log: RaftLog): common.Block | undefined {
  for (let index = log.lastIndex; index > 0; index--) {
    const { block } = log.entry(index);
    if (block !== undefined) {
      return common.Block.deserializeBinary(block);
    }
  }
  return undefined;
}
