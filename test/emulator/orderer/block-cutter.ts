/** When a block is full (Fabric's BatchSize). */
export interface BatchLimits {
  readonly maxMessageCount: number;
  readonly preferredMaxBytes: number;
}

export interface Message {
  readonly bytes: Uint8Array;
  /** Payload and signature, what Fabric counts. */
  readonly size: number;
}

/** Gathers messages into blocks (orderer/common/blockcutter/blockcutter.go). The batch timeout is its user's. */
export class BlockCutter {
  #pending: Message[] = [];
  #pendingBytes = 0;

  get hasPending(): boolean {
    return this.#pending.length > 0;
  }

  /** Adds a message; returns the blocks that are complete now. */
  ordered(message: Message, limits: BatchLimits): readonly (readonly Message[])[] {
    if (message.size > limits.preferredMaxBytes) {
      return [...this.#cutPending(), [message]];
    }
    const overflow = this.#pendingBytes + message.size > limits.preferredMaxBytes ? this.#cutPending() : [];
    this.#pending.push(message);
    this.#pendingBytes += message.size;
    return this.#pending.length >= limits.maxMessageCount ? [...overflow, ...this.#cutPending()] : overflow;
  }

  /** What has gathered so far. */
  cut(): readonly Message[] {
    const batch = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return batch;
  }

  #cutPending(): readonly (readonly Message[])[] {
    return this.hasPending ? [this.cut()] : [];
  }
}
