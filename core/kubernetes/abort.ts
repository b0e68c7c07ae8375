import { FabricError } from "../error.ts";

/** The error for an action that a signal ended: the signal's own FabricError, `timeout` for AbortSignal.timeout, else `interrupted`. */
export function abortError(signal: AbortSignal, what: string): FabricError {
  const reason: unknown = signal.reason;
  if (reason instanceof FabricError) return reason;
  const timeout = reason instanceof Error && reason.name === "TimeoutError";
  return new FabricError(
    timeout ? "timeout" : "interrupted",
    `${what} ${timeout ? "took too long" : "was interrupted"}`,
    {
      cause: reason,
    },
  );
}

/** What a promise gives, unless the signal is aborted before. What it gives afterwards is passed over. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(abortError(signal, what));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The signal that is aborted when any of these is; undefined entries do not count. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length === 1 && given[0] ? given[0] : AbortSignal.any(given);
}
