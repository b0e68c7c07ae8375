import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../error.ts";
import { abortError } from "./abort.ts";
import { ApiError } from "./api-error.ts";
import { passingFailure, wasReset } from "./unreachable.ts";

/** Whether a failed request may be sent again. */
export interface Sent {
  /** Whether it may arrive twice without harm. */
  readonly repeatable: boolean;
  /** Whether this server has ever answered: one that never did is more likely a wrong address than one that restarts. */
  readonly known: boolean;
}

/** Attempts with a server that never answered, but whose balancer did: the balancer may have led to a server that has just stopped. */
const firstTries = 3;

const firstPause = 200; // milliseconds
const longestPause = 5000;
/** The longest pause for a Retry-After: a server that asks for an hour is called again after this. */
const longestAsked = 10_000;

/**
 * Milliseconds until the same request is sent again, with jitter; undefined for a failure that does not pass. These pass: a Retry-After
 * (KEP-1040, or a shutdown) or 429; no connection; and for requests that may be sent twice: a connection that was cut, no answer in time,
 * and 502, 503 and 504. With a server that never answered there are few attempts, and none when there was no connection or no
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

/** Whether a proxy or balancer did not reach the API server, or the server was not ready. */
const isAway = ({ httpStatus }: ApiError): boolean => [502, 503, 504].includes(httpStatus);

/** Whether a request may have done its work although it failed. */
export function mayHaveArrived(failure: unknown): boolean {
  if (failure instanceof ApiError) return isAway(failure) && failure.retryAfter === undefined;
  return passingFailure(failure) === "cut";
}

/** Sleeps. Throws when the signal is aborted: for a deadline, a `timeout` with the message of `failure`. */
export async function waitOut(failure: unknown, milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw outwaited(failure, abortError(signal, "the wait for the API server"));
  }
}

/** The error of a wait that `ended` ended: for a deadline, a `timeout` with the message of the `failure` that was waited out. */
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
