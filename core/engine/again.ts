import { setTimeout as timeout } from "node:timers/promises";
import { FabricError, LostConnection, type ErrorCode } from "../error.ts";

export interface Persistence {
  readonly signal: AbortSignal;
  /** Told before each further attempt why there is one. */
  readonly onLost: (error: FabricError) => void;
  /** Milliseconds before each further attempt. */
  readonly pauses?: readonly number[] | undefined;
  /** Resolves after so many milliseconds, or when the signal is aborted. */
  readonly sleep?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined;
}

const byTheClock = (milliseconds: number, signal: AbortSignal): Promise<void> =>
  timeout(milliseconds, undefined, { signal }).catch(() => {});

/** An API server that restarts is away for some seconds. */
const usualPauses: readonly number[] = [500, 2000, 5000, 10_000];

/** What follows from a lost connection while whatever cut it goes on. */
const alike: readonly ErrorCode[] = ["connection", "cluster-unreachable"];

/**
 * Does again what a lost connection cut off, each time over a new one: for what may be done twice. Nothing else is tried again,
 * and not for ever: throws the last failure.
 */
export async function againWhenLost<T>(
  attempt: () => Promise<T>,
  { signal, onLost, pauses = usualPauses, sleep = byTheClock }: Persistence,
): Promise<T> {
  let lost = false;
  for (const pause of pauses) {
    try {
      return await attempt();
    } catch (error) {
      lost ||= error instanceof LostConnection;
      if (!lost || signal.aborted || !(error instanceof FabricError) || !alike.includes(error.code)) throw error;
      onLost(error);
    }
    await sleep(pause, signal);
  }
  return attempt();
}
