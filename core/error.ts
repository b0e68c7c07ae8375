import type { Remedy } from "./remedy.ts";

/** What went wrong, for scripts: stable, one word for each kind of remedy. */
export type ErrorCode =
  | "usage" // the command line or an input file is wrong
  | "cluster-unreachable" // no kubeconfig, no such context, no answer from the API server
  | "forbidden" // the API server refuses: rights are missing
  | "not-found" // what the command needs does not exist
  | "conflict" // somebody else owns what we would change
  | "invalid" // data that we read is not what its format says
  | "not-ready" // it exists and may yet become usable
  | "timeout" // it did not happen in the time allowed
  | "connection" // a connection to a Pod was refused or lost
  | "rejected" // Fabric said no (signature, policy, sequence ...), or the injection did to a Pod
  | "chaincode" // the chaincode itself answered with an error
  | "steps-failed" // several steps of a plan failed; each is named
  | "interrupted"
  | "internal";

export interface ErrorDetails {
  /** What to do, or to look at, next. */
  readonly hint?: Remedy | undefined;
  readonly cause?: unknown;
}

/** Every failure that a user can meet. `message` says what was expected and what was found. */
export class FabricError extends Error {
  override readonly name = "FabricError";
  readonly code: ErrorCode;
  readonly hint: Remedy | undefined;

  constructor(code: ErrorCode, message: string, { hint, cause }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
  }
}

/** A connection to a Pod that was cut, or closed before it was of use, for a reason that may pass: whoever may act twice may make another. */
export class LostConnection extends FabricError {
  constructor(message: string, details?: ErrorDetails) {
    super("connection", message, details);
  }
}

/** Reads what the user gave, on the command line or in a file: data that is `invalid` there is wrong `usage`. */
export function givenByUser<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw asUsage(error);
  }
}

/** The same of what was thrown. */
export function asUsage(thrown: unknown): unknown {
  if (!(thrown instanceof FabricError) || thrown.code !== "invalid") return thrown;
  return new FabricError("usage", thrown.message, { hint: thrown.hint, cause: thrown.cause });
}

/** The message of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
