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
    };

export interface RaftReply {
  readonly term: number;
  /** The vote was given, or the entries were taken. */
  readonly granted: boolean;
  /** How far the follower's log reaches: where the leader goes on, or goes back to. */
  readonly lastIndex: number;
}

export interface RaftOptions {
  readonly self: string;
  readonly log: RaftLog;
  /** Index of the last entry known to be committed at start. */
  readonly committed: number;
  readonly members: () => readonly string[];
  send(member: string, request: RaftRequest): Promise<RaftReply>;
  /** Called for each committed entry, in order. */
  onCommit(entry: Entry): void;
  /** Called when this node begins or ends to lead. */
  onLeading(leading: boolean): void;
  readonly logger: Log;
}

const heartbeatMilliseconds = 150;
const electionMilliseconds = 900;
const entriesAtOnce = 32;

/** Agreement of a few nodes on one log (the Raft paper; Fabric uses etcd's). No snapshots: logs of tests are short. */
export class Raft {
  readonly #options: RaftOptions;
  readonly #next = new Map<string, number>();
  readonly #match = new Map<string, number>();
  readonly #heard = new Map<string, number>();
  readonly #busy = new Set<string>();
  readonly #ticker: NodeJS.Timeout;
  #term: number;
  #votedFor: string | undefined;
  #role: "follower" | "candidate" | "leader" = "follower";
  #leader: string | undefined;
  #committed: number;
  #deadline = 0;
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

  /** The members heard of lately, this one included; a follower takes all for alive. */
  active(): readonly string[] {
    const { self, members } = this.#options;
    return members().filter((member) => member === self || !this.leading || this.#isAlive(member));
  }

  /** Appends to the log of the leader that this node is; the entry counts once it is committed. */
  propose(block: Uint8Array): void {
    if (!this.leading) {
      throw new Error("no Raft leader");
    }
    this.#options.log.append([{ term: this.#term, block }]);
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
    if (request.previousIndex > log.lastIndex || log.term(request.previousIndex) !== request.previousTerm) {
      if (request.previousIndex <= log.lastIndex && request.previousIndex > this.#committed) {
        log.truncateAfter(request.previousIndex - 1);
      }
      return this.#reply(false);
    }
    this.#take(request.previousIndex, request.entries);
    this.#commitTo(Math.min(request.commit, request.previousIndex + request.entries.length));
    return { term: this.#term, granted: true, lastIndex: request.previousIndex + request.entries.length };
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
      if (!this.#hasQuorum((member) => this.#isAlive(member))) {
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
    this.#options.members().forEach((member) => this.#heard.set(member, Date.now()));
    logger(`Raft leader changed: -> ${self} at term ${this.#term}`);
    // Entries of earlier terms are committed by committing one of this term.
    log.append([{ term: this.#term, block: undefined }]);
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
    });
    if (reply === undefined || !this.leading) {
      return false;
    }
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
      this.#committed++;
      this.#options.onCommit(this.#options.log.entry(this.#committed));
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
    return { term: this.#term, granted, lastIndex: this.#options.log.lastIndex };
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
    return members.filter(agrees).length > members.length / 2;
  }
}
