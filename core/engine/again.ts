import { setTimeout as sleep } from "node:timers/promises";
import { FabricError, LostConnection, type ErrorCode } from "../error.ts";

export interface Persistence {
  readonly signal: AbortSignal;
  /** Told before each further attempt why there is one. */
  readonly onLost: (error: FabricError) => void;
  /** Milliseconds before each further attempt. */
  readonly pauses?: readonly number[] | undefined;
}

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
  { signal, onLost, pauses = usualPauses }: Persistence,
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
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
  return attempt();
}
