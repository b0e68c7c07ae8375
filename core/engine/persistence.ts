import { FabricError, LostConnection, type ErrorCode } from "../error.ts";
import type { Patience } from "./step.ts";

/** Milliseconds before each further attempt after a lost connection: an API server that restarts is away for some seconds. */
const lostPauses: readonly number[] = [500, 2000, 5000, 10_000];

/** Codes of failures that follow a lost connection while its cause lasts. */
const alike: readonly ErrorCode[] = ["connection", "cluster-unreachable"];

/** Milliseconds between two lost connections after which the second counts as a first one. */
const lasting = 60_000;

const firstPause = 100; // milliseconds
const longestPause = 2000;

/** Pauses for what nobody can watch: growing, from 100 ms to 2 s. */
export function growingPauses(): () => number {
  let next = firstPause;
  return () => {
    const pause = next;
    next = Math.min(2 * next, longestPause);
    return pause;
  };
}

/** How long something that failed is tried again. */
export interface Persistence {
  /**
   * The pause before the next attempt, in milliseconds; undefined: no further attempt. `hasActed`: the failure came while acting, or later.
   * `isLost`: it counts as a lost connection.
   */
  after(error: unknown, hasActed: boolean): { readonly pause: number; readonly isLost: boolean } | undefined;
  /** It has worked. */
  worked(): void;
}

/**
 * Attempts are repeated after two kinds of failures. A lost connection: as often as there are `lostPauses`; after the first one, failures
 * with a code of `alike` count as lost, too. A failure whose code `patience` names: with growing pauses, for as long as `patience` allows,
 * counted from `since` or from the first such failure in a row.
 */
export function newPersistence(patience: Patience | undefined, now: () => number, since?: number): Persistence {
  let pausesWhenLost = lostPauses.values();
  let isLost = false;
  let lastLost = -Infinity;
  let isOver = false;
  const begun = (at: number) => ({ since: at, pause: growingPauses() });
  let row = since === undefined ? undefined : begun(since);
  return {
    after(error, hasActed) {
      if (!(error instanceof FabricError)) return undefined;
      if (hasActed && !isOver && patience?.with.includes(error.code)) {
        row ??= begun(now());
        const pause = row.pause();
        if (now() + pause - row.since <= (patience.within ?? Infinity)) return { pause, isLost: false };
        isOver = true;
      }
      isLost ||= error instanceof LostConnection;
      if (!isLost || !alike.includes(error.code)) return undefined;
      // A connection that had lasted is another one than those that are lost at once.
      if (now() - lastLost > lasting) pausesWhenLost = lostPauses.values();
      lastLost = now();
      const pause = pausesWhenLost.next().value;
      return pause === undefined ? undefined : { pause, isLost: true };
    },
    worked() {
      row = undefined;
      isOver = false;
    },
  };
}
