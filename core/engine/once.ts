interface Keeping<Value> {
  /** Milliseconds that a value may be used from when it came; for ever unless told. */
  readonly keptFor?: ((value: Value) => number) | undefined;
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: (() => number) | undefined;
}

/**
 * Calls `make` once for each key, however many callers ask for that key. Calls it again only when the value has become too old, or when
 * `make` has failed.
 */
export function onceEach<Value>({ keptFor = () => Infinity, now = () => performance.now() }: Keeping<Value> = {}): (
  key: string,
  make: () => Promise<Value>,
) => Promise<Value> {
  const kept = new Map<string, { readonly made: Promise<Value>; until: number }>();
  return (key, make) => {
    const before = kept.get(key);
    if (before && now() < before.until) return before.made;
    // Until `make` has ended, the value has no age: however long it takes, no caller begins a second one.
    const mine = { made: make(), until: Infinity };
    kept.set(key, mine);
    mine.made.then(
      (value) => (mine.until = now() + keptFor(value)),
      () => kept.delete(key),
    );
    return mine.made;
  };
}
