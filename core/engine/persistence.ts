import { FabricError, LostConnection, type ErrorCode } from "../error.ts";
import type { Patience } from "./step.ts";

/** Milliseconds before each further attempt after a lost connection: an API server that restarts is away for some seconds. */
const lostPauses: readonly number[] = [500, 2000, 5000, 10_000];

/** What follows from a lost connection while whatever cut it goes on. */
const alike: readonly ErrorCode[] = ["connection", "cluster-unreachable"];

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
  /** What to do about a failure: after a pause once more, or nothing. `hasActed`: it came when acting, or after that. */
  after(error: unknown, hasActed: boolean): { readonly pause: number; readonly isLost: boolean } | undefined;
  /** It has worked. */
  worked(): void;
}

/**
 * A lost connection is made anew, and not for ever; what fails in the same way after one counts as lost, too. Failures of the kinds that
 * `patience` names are tried again with growing pauses, as long as it allows: from the first of them, or from `since`. Nothing else is.
 */
export function newPersistence(patience: Patience | undefined, now: () => number, since?: number): Persistence {
  const pausesWhenLost = lostPauses.values();
  let isLost = false;
  const begun = (at: number) => ({ since: at, pause: growingPauses() });
  let row = since === undefined ? undefined : begun(since);
  return {
    after(error, hasActed) {
      if (!(error instanceof FabricError)) return undefined;
      if (hasActed && patience?.with.includes(error.code)) {
        row ??= begun(now());
        const pause = row.pause();
        if (now() + pause - row.since <= (patience.within ?? Infinity)) return { pause, isLost: false };
        row = undefined;
      }
      isLost ||= error instanceof LostConnection;
      const pause = isLost && alike.includes(error.code) ? pausesWhenLost.next().value : undefined;
      return pause === undefined ? undefined : { pause, isLost: true };
    },
    worked: () => void (row = undefined),
  };
}
