/**
 * Sorts by texts, the first differing text decides; by code units, so equal on any machine. Peers, Docker and the API server answer
 * in another order each time: code that takes the first of several reasons has to sort them by this.
 */
export function inOrder<Item>(
  items: readonly Item[],
  ...texts: readonly [(item: Item) => string, ...((item: Item) => string)[]]
): readonly Item[] {
  return items.toSorted((one, other) => {
    for (const text of texts) {
      const [left, right] = [text(one), text(other)];
      if (left !== right) return left < right ? -1 : 1;
    }
    return 0;
  });
}

/** As Promise.all, but throws the first failure in the order of the promises, not in time. */
export async function allInOrder<Values extends readonly unknown[]>(promises: {
  readonly [Index in keyof Values]: Promise<Values[Index]>;
}): Promise<Values> {
  const ended = await Promise.allSettled(promises);
  const failed = ended.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
  return ended.map((end) => (end.status === "fulfilled" ? end.value : undefined)) as unknown as Values;
}
