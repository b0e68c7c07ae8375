import { setTimeout as timeout } from "node:timers/promises";
import { FabricError, type ErrorCode } from "../error.ts";
import { newPersistence } from "./persistence.ts";

export interface Eventually {
  readonly signal: AbortSignal;
  /** Milliseconds; as long as the signal lets it unless told. */
  readonly within?: number;
  /**
   * After failures with these codes it tries again: the other side is not there yet. After a lost connection it always does, a few times.
   */
  readonly retry?: readonly ErrorCode[];
}

/** Resolves after so many milliseconds, or when the signal is aborted. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;

export const byTheClock: Sleep = (milliseconds, signal) => timeout(milliseconds, undefined, { signal }).catch(() => {});

/** Milliseconds: the usual bound of a wait for what may as well never come, such as a connection to a Pod that has gone. */
export const aMinute = 60_000;

/** What is thrown where a signal cuts off a call: by Ctrl-C, or by the command's deadline. */
const cutOff: readonly ErrorCode[] = ["interrupted", "timeout"];

export const isCutOff = (error: unknown): boolean => error instanceof FabricError && cutOff.includes(error.code);

/**
 * Tries until it works, with growing pauses: for what nobody can watch (a Raft leader, gossip between peers).
 * Throws the last failure when time is over or the signal is aborted, any other failure at once.
 */
export async function eventually<T>(attempt: () => Promise<T>, { signal, within, retry = [] }: Eventually): Promise<T> {
  const persistence = newPersistence({ with: retry, within }, () => performance.now(), performance.now());
  for (let before: unknown; ;) {
    try {
      return await attempt();
    } catch (error) {
      // The failure before says more than that this attempt was cut off.
      if (signal.aborted) throw before !== undefined && isCutOff(error) ? before : error;
      const further = persistence.after(error, true);
      if (!further) throw error;
      before = error;
      // Aborted meanwhile: the next attempt says so in its own words.
      await byTheClock(further.pause, signal);
    }
  }
}
