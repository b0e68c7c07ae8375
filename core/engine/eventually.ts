import { setTimeout as sleep } from "node:timers/promises";
import { FabricError, type ErrorCode } from "../error.ts";

export interface Patience {
  readonly signal: AbortSignal;
  /** Milliseconds; as long as the signal lets it unless told. */
  readonly within?: number;
  /** Failures of these kinds are tried again: the other side is not there yet. */
  readonly retry: readonly ErrorCode[];
}

/** Milliseconds: the usual bound of a wait for what may as well never come, such as a connection to a Pod that has gone. */
export const aMinute = 60_000;

const firstPause = 100; // milliseconds
const longestPause = 2000;

/** What is thrown where a signal cuts off an attempt: by Ctrl-C, or by the command's deadline. */
const cutOff: readonly ErrorCode[] = ["interrupted", "timeout"];

/**
 * Tries until it works, with growing pauses: for what nobody can watch (a Raft leader, gossip between peers).
 * Throws the last failure when time is over or the signal is aborted, any other failure at once.
 */
export async function eventually<T>(
  attempt: () => Promise<T>,
  { signal, within = Infinity, retry }: Patience,
): Promise<T> {
  const end = performance.now() + within;
  let before: FabricError | undefined;
  for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
    try {
      return await attempt();
    } catch (error) {
      // That it was cut off says less than what it was waiting for.
      const isCut = error instanceof FabricError && cutOff.includes(error.code);
      if (signal.aborted && isCut && before) throw before;
      const again = error instanceof FabricError && retry.includes(error.code);
      if (!again || signal.aborted || performance.now() + pause > end) throw error;
      before = error;
    }
    // Aborted while asleep: the next attempt says so in its own words.
    await sleep(pause, undefined, { signal }).catch(() => {});
  }
}
