/**
 * A stage that several tests build on: the first that needs it goes through it, so that each of them can be run alone.
 * Who comes after a failure fails with it.
 */
export function once<T>(stage: () => Promise<T>): () => Promise<T> {
  let begun: Promise<T> | undefined;
  return () => (begun ??= stage());
}
