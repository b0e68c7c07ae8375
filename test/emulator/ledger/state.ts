/** Where a value was written: block, and transaction in it. */
export interface Version {
  readonly block: number;
  readonly transaction: number;
}

export interface VersionedValue {
  readonly value: Uint8Array;
  readonly version: Version;
}

export interface Write {
  readonly namespace: string;
  readonly key: string;
  /** Undefined deletes the key. */
  readonly value: Uint8Array | undefined;
}

/** Keys and values by namespace; the state that a channel's valid transactions lead to. Kept in memory: it is made again from the blocks. */
export class State {
  readonly #namespaces = new Map<string, Map<string, VersionedValue>>();
  readonly #sorted = new Map<string, readonly string[]>();

  get(namespace: string, key: string): VersionedValue | undefined {
    return this.#namespaces.get(namespace)?.get(key);
  }

  /** From start (included) to end (not included) in the order of UTF-8; an empty end means to the last. */
  range(namespace: string, start: string, end: string): readonly (readonly [string, VersionedValue])[] {
    const values = this.#namespaces.get(namespace);
    if (values === undefined) {
      return [];
    }
    return this.#sortedKeys(namespace, values)
      .filter((key) => compareKeys(key, start) >= 0 && (end === "" || compareKeys(key, end) < 0))
      .map((key) => [key, values.get(key) as VersionedValue]);
  }

  apply(writes: readonly Write[], version: Version): void {
    for (const { namespace, key, value } of writes) {
      const values = this.#namespaces.get(namespace) ?? new Map<string, VersionedValue>();
      this.#namespaces.set(namespace, values);
      if (value === undefined ? values.delete(key) : !values.has(key)) {
        this.#sorted.delete(namespace);
      }
      if (value !== undefined) {
        values.set(key, { value, version });
      }
    }
  }

  #sortedKeys(namespace: string, values: ReadonlyMap<string, VersionedValue>): readonly string[] {
    const sorted = this.#sorted.get(namespace) ?? [...values.keys()].sort(compareKeys);
    this.#sorted.set(namespace, sorted);
    return sorted;
  }
}

/** By bytes of UTF-8, which is by code point; JavaScript's own order is by UTF-16 unit. */
export function compareKeys(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

/** Names that Fabric's state database gives to what belongs to a collection (statedb privacyenabledstate). */
export function privateNamespace(namespace: string, collection: string): string {
  return `${namespace}$$p${collection}`;
}

export function hashedNamespace(namespace: string, collection: string): string {
  return `${namespace}$$h${collection}`;
}
