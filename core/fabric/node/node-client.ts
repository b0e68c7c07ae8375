import type { ClientUnaryCall, Deadline, requestCallback, ServiceError } from "@grpc/grpc-js";
import { type CallOptions, defaultTimeout } from "./call-options.ts";
import { grpcError } from "./grpc-error.ts";
import type { NodeConnection } from "./node-connection.ts";
import type { SigningIdentity } from "../identity/signing-identity.ts";

/**
 * A connection to a node, the identity that asks, and the limits of each call. Immutable; to narrow it, make a copy:
 * `{ ...client, timeout: 1000 }`. Keep it no longer than its signal lasts; the connection may be kept and shared.
 */
export interface NodeClient extends CallOptions {
  readonly connection: NodeConnection;
  readonly identity: SigningIdentity;
}

/** When a call has to be over; for grpc-js, Infinity means never. */
export function deadlineOf({ timeout = defaultTimeout }: CallOptions): { readonly deadline: Deadline } {
  return { deadline: timeout === Infinity ? Infinity : new Date(Date.now() + timeout) };
}

/** One unary call as a promise, cancelled by the signal. Throws `grpcError` of its status; `what` names the call. */
export function unary<Response>(
  { connection, signal }: NodeClient,
  what: string,
  start: (callback: requestCallback<Response>) => ClientUnaryCall,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = start((error, response) => {
      signal?.removeEventListener("abort", abort);
      if (error) reject(failureOf(what, error, connection));
      else if (response === undefined) reject(new Error(`${what}: expected a response, found none`));
      else resolve(response);
    });
    const abort = () => call.cancel();
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted) abort();
  });
}

/** Never throws: an error thrown in a callback of grpc-js would not reach the promise. */
function failureOf(what: string, error: ServiceError, { endpoint }: NodeConnection): unknown {
  try {
    return grpcError(what, error, endpoint);
  } catch (defect) {
    return defect;
  }
}
