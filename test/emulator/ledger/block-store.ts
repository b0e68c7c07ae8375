import { EventEmitter } from "node:events";
import { common } from "@hyperledger/fabric-protos";
import { headerHash, lastConfigOf, numberOf } from "../channel/block.ts";
import { RecordFile } from "./record-file.ts";

/** The blocks of one channel on disk, and a way to wait for the next. */
export class BlockStore {
  readonly #file: RecordFile;
  readonly #appended = new EventEmitter().setMaxListeners(0);
  #last: common.Block | undefined;

  constructor(path: string) {
    this.#file = new RecordFile(path);
    this.#last = this.height === 0 ? undefined : this.block(this.height - 1);
  }

  get height(): number {
    return this.#file.count;
  }

  /** The newest block; throws when there is none. */
  get last(): common.Block {
    if (this.#last === undefined) {
      throw new Error("expected at least one block, found none");
    }
    return this.#last;
  }

  /** Throws when there is no such block. */
  block(number: number): common.Block {
    return common.Block.deserializeBinary(this.#file.read(number));
  }

  /** The configuration block in force at the newest block. */
  lastConfigBlock(): common.Block {
    return this.block(lastConfigOf(this.last));
  }

  append(block: common.Block): void {
    if (numberOf(block) !== this.height) {
      throw new Error(`expected block ${this.height}, found block ${numberOf(block)}`);
    }
    if (this.#last !== undefined && !same(headerHash(this.#last), block.getHeader()?.getPreviousHash_asU8())) {
      throw new Error(
        `block ${numberOf(block)} does not follow block ${this.height - 1}: its previous hash is another`,
      );
    }
    this.#file.append(block.serializeBinary());
    this.#last = block;
    this.#appended.emit("block");
  }

  /** Until the block is there; rejects with the signal's reason when that comes first. */
  async waitFor(number: number, signal: AbortSignal): Promise<void> {
    while (this.height <= number) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const done = (): void => {
          signal.removeEventListener("abort", aborted);
          resolve();
        };
        const aborted = (): void => {
          this.#appended.off("block", done);
          reject(signal.reason as Error);
        };
        this.#appended.once("block", done);
        signal.addEventListener("abort", aborted, { once: true });
      });
    }
  }

  close(): void {
    this.#file.close();
  }
}

function same(one: Uint8Array, other: Uint8Array | undefined): boolean {
  return other !== undefined && Buffer.from(one).equals(other);
}
