import type { ClientUnaryCall, Deadline, requestCallback, ServiceError } from "@grpc/grpc-js";
import { type CallOptions, defaultTimeout } from "./call-options.ts";
import { grpcError } from "./grpc-error.ts";
import type { NodeConnection } from "./node-connection.ts";
import type { SigningIdentity } from "../identity/signing-identity.ts";

/**
 * What a node is asked by: a connection with it, who asks, and until when each call may take. Immutable; a copy is narrower,
 * `{ ...client, timeout: 1000 }`. Not to be kept longer than its signal lasts: the connection is what may be shared.
 */
export interface NodeClient extends CallOptions {
  readonly connection: NodeConnection;
  readonly identity: SigningIdentity;
}

/** When a call has to be over; Infinity is grpc-js' own word for never. */
export function deadlineOf({ timeout = defaultTimeout }: CallOptions): { readonly deadline: Deadline } {
  return { deadline: timeout === Infinity ? Infinity : new Date(Date.now() + timeout) };
}

/** One unary call as a promise, ended by the signal. Throws what the status means; `what` was to be done. */
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

/** What is thrown in a callback of grpc-js nobody would wait for. */
function failureOf(what: string, error: ServiceError, { endpoint }: NodeConnection): unknown {
  try {
    return grpcError(what, error, endpoint);
  } catch (defect) {
    return defect;
  }
}
