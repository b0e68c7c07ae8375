import { messageOf, type Log } from "../log.ts";
import type { Entry, RaftLog } from "./raft-log.ts";

export type RaftRequest =
  | {
      readonly kind: "vote";
      readonly term: number;
      readonly candidate: string;
      readonly lastIndex: number;
      readonly lastTerm: number;
    }
  | {
      readonly kind: "append";
      readonly term: number;
      readonly leader: string;
      readonly previousIndex: number;
      readonly previousTerm: number;
      readonly entries: readonly Entry[];
      readonly commit: number;
      /** What goes with the entries up to `commit` that the follower has not committed yet; see RaftOptions.attest. */
      readonly proofs: readonly Proofs[];
      /** The members that the leader hears of. */
      readonly active: readonly string[];
    };

export type Proofs = readonly Uint8Array[];

export interface RaftReply {
  readonly term: number;
  /** The vote was given, or the entries were taken. */
  readonly granted: boolean;
  /** How far the follower's log reaches: where the leader goes on, or goes back to. */
  readonly lastIndex: number;
  readonly committed: number;
  /** What the follower attests for each entry that it has not committed yet, in order. */
  readonly attestations: Proofs;
}

export interface RaftOptions {
  readonly self: string;
  readonly log: RaftLog;
  /** Index of the last entry known to be committed at start. */
  readonly committed: number;
  readonly members: () => readonly string[];
  send(member: string, request: RaftRequest): Promise<RaftReply>;
  /** How many of so many members must agree. */
  readonly quorum: (members: number) => number;
  /** What this node says to an entry, for whoever wants to see that a quorum agreed; absent when nobody does. */
  readonly attest: ((index: number) => Uint8Array) | undefined;
  /** What the members said to a committed entry. */
  proofsOf(index: number): Proofs;
  /** Called for each committed entry, in order, with what a quorum said to it. */
  readonly onCommit: (entry: Entry, proofs: Proofs) => void;
  /** Called when this node begins or ends to lead. */
  onLeading(leading: boolean): void;
  readonly logger: Log;
}

const heartbeatMilliseconds = 150;
const electionMilliseconds = 1500;
const entriesAtOnce = 32;

/** Agreement of a few nodes on one log (the Raft paper; Fabric uses etcd's). No snapshots: logs of tests are short. */
export class Raft {
  readonly #options: RaftOptions;
  readonly #next = new Map<string, number>();
  readonly #match = new Map<string, number>();
  readonly #heard = new Map<string, number>();
  readonly #committedBy = new Map<string, number>();
  /** By entry and member. */
  readonly #attestations = new Map<number, Map<string, Uint8Array>>();
  readonly #busy = new Set<string>();
  readonly #ticker: NodeJS.Timeout;
  #term: number;
  #votedFor: string | undefined;
  #role: "follower" | "candidate" | "leader" = "follower";
  #leader: string | undefined;
  #activeByLeader: readonly string[] = [];
  #committed: number;
  #deadline = 0;
  #ledSince = 0;
  #stopped = false;

  constructor(options: RaftOptions) {
    this.#options = options;
    const ballot = options.log.readBallot();
    this.#term = ballot.term;
    this.#votedFor = ballot.votedFor;
    this.#committed = options.committed;
    this.#postpone();
    this.#ticker = setInterval(() => this.#tick(), heartbeatMilliseconds);
    if (this.#alone()) {
      setImmediate(() => this.#campaign());
    }
  }

  get leader(): string | undefined {
    return this.#leader;
  }

  get leading(): boolean {
    return this.#role === "leader";
  }

  get committed(): number {
    return this.#committed;
  }

  /** The members that the leader has heard of lately; none without a leader (Fabric's etcdraft/tracker.go). */
  active(): readonly string[] {
    if (this.leading) {
      return this.#options.members().filter((member) => this.#isAlive(member));
    }
    return this.#leader === undefined ? [] : this.#activeByLeader;
  }

  /** Appends to the log of the leader that this node is; the entry counts once it is committed. */
  propose(block: Uint8Array): void {
    if (!this.leading) {
      throw new Error("no Raft leader");
    }
    this.#options.log.append([{ term: this.#term, block }]);
    this.#noteOwn(this.#options.log.lastIndex);
    this.#replicate();
  }

  handle(request: RaftRequest): RaftReply {
    if (request.term > this.#term) {
      this.#follow(request.term, undefined);
    }
    if (request.term < this.#term) {
      return this.#reply(false);
    }
    return request.kind === "vote" ? this.#handleVote(request) : this.#handleAppend(request);
  }

  /** To be called when the members may have changed. */
  membersChanged(): void {
    if (this.leading) {
      this.#replicate();
    }
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#ticker);
    this.#options.log.close();
  }

  #handleVote(request: RaftRequest & { readonly kind: "vote" }): RaftReply {
    const { log } = this.#options;
    const lastTerm = log.term(log.lastIndex);
    const upToDate =
      request.lastTerm > lastTerm || (request.lastTerm === lastTerm && request.lastIndex >= log.lastIndex);
    const free = this.#votedFor === undefined || this.#votedFor === request.candidate;
    if (!upToDate || !free) {
      return this.#reply(false);
    }
    this.#vote(this.#term, request.candidate);
    this.#postpone();
    return this.#reply(true);
  }

  #handleAppend(request: RaftRequest & { readonly kind: "append" }): RaftReply {
    const { log } = this.#options;
    this.#follow(request.term, request.leader);
    this.#activeByLeader = request.active;
    if (request.previousIndex > log.lastIndex || log.term(request.previousIndex) !== request.previousTerm) {
      if (request.previousIndex <= log.lastIndex && request.previousIndex > this.#committed) {
        log.truncateAfter(request.previousIndex - 1);
      }
      return this.#reply(false);
    }
    this.#take(request.previousIndex, request.entries);
    const known = request.previousIndex + request.entries.length;
    this.#commitWith(Math.min(request.commit, known), request.proofs);
    return { ...this.#reply(true), lastIndex: known };
  }

  #take(previousIndex: number, entries: readonly Entry[]): void {
    const { log } = this.#options;
    const known = entries.findIndex(({ term }, offset) => log.term(previousIndex + 1 + offset) !== term);
    if (known < 0) {
      return;
    }
    if (previousIndex + known < log.lastIndex) {
      log.truncateAfter(previousIndex + known);
    }
    log.append(entries.slice(known));
  }

  #tick(): void {
    if (this.leading) {
      const settled = Date.now() - this.#ledSince > 2 * electionMilliseconds;
      if (settled && !this.#hasQuorum((member) => this.#isAlive(member))) {
        this.#options.logger("stepping down: no quorum");
        this.#follow(this.#term, undefined);
        return;
      }
      this.#replicate();
    } else if (Date.now() > this.#deadline && this.#options.members().includes(this.#options.self)) {
      this.#campaign();
    }
  }

  #campaign(): void {
    const { self, log, members } = this.#options;
    if (this.#stopped || this.leading) {
      return;
    }
    this.#role = "candidate";
    this.#leader = undefined;
    this.#vote(this.#term + 1, self);
    this.#postpone();
    const term = this.#term;
    const votes = new Set([self]);
    const count = (): void => {
      if (this.#role === "candidate" && this.#term === term && this.#hasQuorum((member) => votes.has(member))) {
        this.#lead();
      }
    };
    const counted = (member: string): void => {
      votes.add(member);
      count();
    };
    count();
    const request = {
      kind: "vote",
      term,
      candidate: self,
      lastIndex: log.lastIndex,
      lastTerm: log.term(log.lastIndex),
    };
    for (const member of members().filter((one) => one !== self)) {
      void this.#ask(member, request as RaftRequest).then((reply) => (reply?.granted ? counted(member) : undefined));
    }
  }

  #lead(): void {
    const { self, log, logger } = this.#options;
    this.#role = "leader";
    this.#leader = self;
    this.#next.clear();
    this.#match.clear();
    this.#committedBy.clear();
    this.#attestations.clear();
    this.#heard.clear();
    this.#ledSince = Date.now();
    logger(`Raft leader changed: -> ${self} at term ${this.#term}`);
    // Entries of earlier terms are committed by committing one of this term.
    log.append([{ term: this.#term, block: undefined }]);
    for (let index = this.#committed + 1; index <= log.lastIndex; index++) {
      this.#noteOwn(index);
    }
    this.#options.onLeading(true);
    this.#replicate();
  }

  #replicate(): void {
    const { self, members } = this.#options;
    for (const member of members().filter((one) => one !== self)) {
      void this.#replicateTo(member);
    }
    this.#advance();
  }

  async #replicateTo(member: string): Promise<void> {
    if (this.#busy.has(member)) {
      return;
    }
    this.#busy.add(member);
    try {
      while (this.leading && (await this.#appendTo(member))) {
        // Goes on while there is more to send.
      }
    } finally {
      this.#busy.delete(member);
    }
  }

  /** Sends one batch; true when another should follow at once. */
  async #appendTo(member: string): Promise<boolean> {
    const { self, log } = this.#options;
    const next = this.#next.get(member) ?? log.lastIndex + 1;
    const count = Math.min(entriesAtOnce, log.lastIndex - next + 1);
    const reply = await this.#ask(member, {
      kind: "append",
      term: this.#term,
      leader: self,
      previousIndex: next - 1,
      previousTerm: log.term(next - 1),
      entries: Array.from({ length: count }, (_, offset) => log.entry(next + offset)),
      commit: this.#committed,
      proofs: this.#proofsFor(member),
      active: this.active(),
    });
    if (reply === undefined || !this.leading) {
      return false;
    }
    this.#committedBy.set(member, reply.committed);
    reply.attestations.forEach((attestation, offset) => this.#note(reply.committed + 1 + offset, member, attestation));
    if (!reply.granted) {
      this.#next.set(member, Math.max(1, Math.min(next - 1, reply.lastIndex + 1)));
      return true;
    }
    const committed = this.#committed;
    this.#match.set(member, reply.lastIndex);
    this.#next.set(member, reply.lastIndex + 1);
    this.#advance();
    return reply.lastIndex < log.lastIndex || this.#committed > committed;
  }

  #proofsFor(member: string): readonly Proofs[] {
    const from = this.#committedBy.get(member);
    if (this.#options.attest === undefined || from === undefined) {
      return [];
    }
    const count = Math.min(entriesAtOnce, this.#committed - from);
    return Array.from({ length: Math.max(0, count) }, (_, offset) => this.#options.proofsOf(from + 1 + offset));
  }

  #noteOwn(index: number): void {
    const { self, attest, log } = this.#options;
    if (attest !== undefined && log.entry(index).block !== undefined) {
      this.#note(index, self, attest(index));
    }
  }

  #note(index: number, member: string, attestation: Uint8Array): void {
    if (index > this.#committed && attestation.length > 0) {
      const all = this.#attestations.get(index) ?? new Map<string, Uint8Array>();
      this.#attestations.set(index, all.set(member, attestation));
    }
  }

  /** Commits what a majority has, if it ends in an entry of this term. */
  #advance(): void {
    const { self, log } = this.#options;
    for (let index = log.lastIndex; index > this.#committed && log.term(index) === this.#term; index--) {
      if (this.leading && this.#hasQuorum((member) => member === self || (this.#match.get(member) ?? 0) >= index)) {
        this.#commitTo(index);
        return;
      }
    }
  }

  #commitTo(index: number): void {
    while (this.#committed < Math.min(index, this.#options.log.lastIndex)) {
      const next = this.#committed + 1;
      const proofs = [...(this.#attestations.get(next)?.values() ?? [])];
      this.#attestations.delete(next);
      this.#committed = next;
      this.#options.onCommit(this.#options.log.entry(next), proofs);
    }
  }

  /** As a follower: where proofs are wanted, no further than they go. */
  #commitWith(index: number, proofs: readonly Proofs[]): void {
    const { log, attest, onCommit } = this.#options;
    const from = this.#committed;
    const limit = attest === undefined ? index : Math.min(index, from + proofs.length);
    while (this.#committed < Math.min(limit, log.lastIndex)) {
      const given = proofs[this.#committed - from] ?? [];
      this.#committed++;
      onCommit(log.entry(this.#committed), given);
    }
  }

  async #ask(member: string, request: RaftRequest): Promise<RaftReply | undefined> {
    try {
      const reply = await this.#options.send(member, request);
      if (this.#stopped) {
        return undefined;
      }
      this.#heard.set(member, Date.now());
      if (reply.term > this.#term) {
        this.#follow(reply.term, undefined);
      }
      return reply.term === this.#term ? reply : undefined;
    } catch (error) {
      if (request.kind === "vote") {
        this.#options.logger(`no vote from ${member}: ${messageOf(error)}`);
      }
      return undefined;
    }
  }

  #follow(term: number, leader: string | undefined): void {
    const led = this.leading;
    if (term > this.#term) {
      this.#vote(term, undefined);
    }
    if (leader !== undefined && leader !== this.#leader) {
      this.#options.logger(`Raft leader changed: -> ${leader} at term ${term}`);
    }
    this.#role = "follower";
    this.#leader = leader;
    this.#postpone();
    if (led) {
      this.#options.onLeading(false);
    }
  }

  #vote(term: number, candidate: string | undefined): void {
    this.#term = term;
    this.#votedFor = candidate;
    this.#options.log.writeBallot({ term, votedFor: candidate });
  }

  #postpone(): void {
    this.#deadline = Date.now() + electionMilliseconds * (1 + Math.random());
  }

  #reply(granted: boolean): RaftReply {
    const { log, attest } = this.#options;
    const open = attest === undefined ? 0 : log.lastIndex - this.#committed;
    return {
      term: this.#term,
      granted,
      lastIndex: log.lastIndex,
      committed: this.#committed,
      attestations: Array.from({ length: open }, (_, offset) => {
        const index = this.#committed + 1 + offset;
        return log.entry(index).block === undefined ? new Uint8Array() : (attest?.(index) ?? new Uint8Array());
      }),
    };
  }

  #alone(): boolean {
    const members = this.#options.members();
    return members.length === 1 && members[0] === this.#options.self;
  }

  #isAlive(member: string): boolean {
    return member === this.#options.self || Date.now() - (this.#heard.get(member) ?? 0) < 2 * electionMilliseconds;
  }

  #hasQuorum(agrees: (member: string) => boolean): boolean {
    const members = this.#options.members();
    return members.filter(agrees).length >= this.#options.quorum(members.length);
  }
}
