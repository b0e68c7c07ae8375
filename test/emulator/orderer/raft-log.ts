import { existsSync, fsyncSync, openSync, closeSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RecordFile } from "../ledger/record-file.ts";

export interface Entry {
  readonly term: number;
  /** Absent in the entry with which a leader begins its term. */
  readonly block: Uint8Array | undefined;
}

/** What a node must not forget before it answers a vote. */
export interface Ballot {
  readonly term: number;
  readonly votedFor: string | undefined;
}

/** The replicated log of one channel, on disk. Entries are counted from 1. */
export class RaftLog {
  readonly #file: RecordFile;
  readonly #ballotPath: string;
  readonly #terms: number[] = [];

  constructor(directory: string) {
    this.#file = new RecordFile(join(directory, "entries"));
    this.#ballotPath = join(directory, "ballot.json");
    for (let index = 1; index <= this.#file.count; index++) {
      this.#terms.push(this.entry(index).term);
    }
  }

  get lastIndex(): number {
    return this.#file.count;
  }

  /** 0 before the first entry. */
  term(index: number): number {
    return this.#terms[index - 1] ?? 0;
  }

  entry(index: number): Entry {
    const record = this.#file.read(index - 1);
    const block = record.subarray(8);
    return { term: Number(record.readBigUInt64BE(0)), block: block.length === 0 ? undefined : block };
  }

  append(entries: readonly Entry[]): void {
    this.#file.append(
      ...entries.map(({ term, block }) => {
        const header = Buffer.alloc(8);
        header.writeBigUInt64BE(BigInt(term));
        return Buffer.concat([header, block ?? Buffer.alloc(0)]);
      }),
    );
    this.#terms.push(...entries.map(({ term }) => term));
  }

  /** Forgets everything after `index`. */
  truncateAfter(index: number): void {
    this.#file.truncate(index);
    this.#terms.length = index;
  }

  readBallot(): Ballot {
    if (!existsSync(this.#ballotPath)) {
      return { term: 0, votedFor: undefined };
    }
    const { term, votedFor } = JSON.parse(readFileSync(this.#ballotPath, "utf8")) as Ballot;
    return { term, votedFor };
  }

  writeBallot(ballot: Ballot): void {
    const temporary = `${this.#ballotPath}.new`;
    const descriptor = openSync(temporary, "w");
    writeSync(descriptor, JSON.stringify(ballot));
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(temporary, this.#ballotPath);
  }

  close(): void {
    this.#file.close();
  }
}
