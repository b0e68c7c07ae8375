import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../error.ts";
import { abortError } from "./abort.ts";
import { ApiError } from "./api-error.ts";
import { passingFailure, wasReset } from "./unreachable.ts";

/** Whether a failed request may be sent again. */
export interface Sent {
  /** That it has arrived twice does no harm. */
  readonly repeatable: boolean;
  /** Whether this server has ever answered: one that never did is more likely a wrong address than one that restarts. */
  readonly known: boolean;
}

/** Of one that never answered, where somebody did: a balancer may lead to a server that has just gone. */
const firstTries = 3;

const firstPause = 200; // milliseconds
const longestPause = 5000;
/** Whoever says an hour, or a day, is asked again all the same. */
const longestAsked = 10_000;

/**
 * Milliseconds until the same request is sent again, with jitter; undefined for a failure that stays one. Passing are: a server that asks
 * to come back (KEP-1040, or a shutdown) or says 429; no connection; and, of what may be sent twice, a connection that was cut, no
 * answer in time, and 502, 503 and 504. Of a server that never answered these are few tries, and not for want of a connection or an
 * answer. Pure but for `random`.
 */
export function pauseBefore(
  failure: unknown,
  attempt: number,
  { repeatable, known }: Sent,
  random = Math.random,
): number | undefined {
  const isFirst = !known && attempt < firstTries;
  if (failure instanceof ApiError) {
    const { httpStatus, retryAfter } = failure;
    const isAsked = httpStatus === 429 || retryAfter !== undefined;
    if (!isAsked && !((known || isFirst) && repeatable && isAway(failure))) return undefined;
    if (retryAfter !== undefined) return Math.min(Math.max(retryAfter * 1000, 100), longestAsked);
  } else {
    const passing = known || (isFirst && wasReset(failure)) ? passingFailure(failure) : undefined;
    if (passing === undefined || (passing === "cut" && !repeatable)) return undefined;
  }
  return Math.min(firstPause * 2 ** attempt, longestPause) * (0.5 + random() / 2);
}

/** What says that somebody before the API server did not reach it, or that it was not ready. */
const isAway = ({ httpStatus }: ApiError): boolean => [502, 503, 504].includes(httpStatus);

/** Whether a request may have done its work although it failed. */
export function mayHaveArrived(failure: unknown): boolean {
  if (failure instanceof ApiError) return isAway(failure) && failure.retryAfter === undefined;
  return passingFailure(failure) === "cut";
}

/** Sleeps; when the signal ends that, a deadline tells what was waited out. */
export async function waitOut(failure: unknown, milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw outwaited(failure, abortError(signal, "the wait for the API server"));
  }
}

/** How a wait ended: where a deadline ended it, with what was waited out. */
export function outwaited(failure: unknown, ended: unknown): unknown {
  const isDeadline = ended instanceof FabricError && ended.code === "timeout";
  if (!isDeadline || !(failure instanceof FabricError)) return ended;
  return new FabricError("timeout", `${failure.message}, to the end`, { hint: failure.hint, cause: failure });
}

/** Whether a deadline was over while the API server was away, or busy. */
export function isOutwaited(error: unknown): boolean {
  if (!(error instanceof FabricError) || error.code !== "timeout") return false;
  return error.cause instanceof ApiError || passingFailure(error.cause) !== undefined;
}
