import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, type ErrorDetails, FabricError, LostConnection } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { Endpoint } from "./endpoint.ts";
import { rejectionHint } from "./rejection.ts";

/** Whether an error comes from a gRPC call. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" && "details" in thrown;
}

/** The error for a user from a failed gRPC call. `what` names the action: "joining mychannel at peer0.org1". */
export function grpcError(
  what: string,
  error: ServiceError,
  endpoint: Pick<Endpoint, "lastFailure"> = {},
): FabricError {
  const details = { hint: grpcErrorHint(error), cause: error };
  if (isUnavailable(error) && isReset(error.details)) return resetConnection(what, error.details, endpoint, details);
  const message = `${what}: ${grpcDetails(error)}`;
  return isCut(error)
    ? new LostConnection(message, details)
    : new FabricError(grpcErrorCode(error.code), message, details);
}

/** The error's text. For a passed deadline grpc-js adds how long each part of the wait took (client_call.ts, "Deadline exceeded after"). */
export function grpcDetails({ details, message }: Pick<ServiceError, "details" | "message">): string {
  return (details || message).replace(/^(\d+ \w+: )?Deadline exceeded\b.*$/s, "no answer in time");
}

/** Whether the connection was cut during the call. A channel that cannot connect has other texts (grpc-js, subchannel and pick_first). */
function isCut(failure: GrpcFailure): boolean {
  return isUnavailable(failure) && !/^(No connection established|Name resolution failed)/.test(failure.details);
}

/** Whether this is a text of Node for a connection that the other side closed without an answer (net, tls, _http_client). */
export const isReset = (text: string): boolean =>
  /ECONNRESET|EPIPE|socket hang up|before secure TLS connection/.test(text);

interface ResetDetails extends ErrorDetails {
  /** What may happen to the transaction, for the end of the message. The error has no hint then: hints say to try again. */
  readonly fate?: string;
}

/**
 * The error for a reset connection. A forwarded port may know the reason: then the message is `lastFailure`'s, else `text`.
 * Every reason may pass (the node has just started and does not listen yet, its Pod is replaced, the API server is away), except that
 * the user lacks the right: `forbidden`.
 */
export function resetConnection(
  what: string,
  text: string,
  { lastFailure }: Pick<Endpoint, "lastFailure">,
  { hint, cause, fate = "" }: ResetDetails,
): FabricError {
  const failure = lastFailure?.();
  const message = `${what}: ${failure?.message ?? text}${fate}`;
  const details = { hint: fate === "" ? (failure?.hint ?? hint) : undefined, cause };
  return failure?.code === "forbidden"
    ? new FabricError("forbidden", message, { ...details, hint: failure.hint })
    : new LostConnection(message, details);
}

/** What gRPC statuses mean (https://grpc.github.io/grpc/core/md_doc_statuscodes.html) as Fabric uses them. */
const codes: ReadonlyMap<number, ErrorCode> = new Map([
  [status.UNAVAILABLE, "connection"],
  [status.DEADLINE_EXCEEDED, "timeout"],
  [status.CANCELLED, "interrupted"],
  [status.NOT_FOUND, "not-found"],
]);

export function grpcErrorCode(code: number): ErrorCode {
  return codes.get(code) ?? "rejected";
}

const unavailable: number = status.UNAVAILABLE;
export const isUnavailable = ({ code }: Pick<GrpcFailure, "code">): boolean => code === unavailable;
const unimplemented: number = status.UNIMPLEMENTED;

interface GrpcFailure {
  readonly code: number;
  readonly details: string;
}

export function grpcErrorHint({ code, details }: GrpcFailure): Remedy | undefined {
  if (code === unavailable) return connectionHint(details);
  if (code === unimplemented)
    return "the node does not offer this service: is it a peer where a peer is expected, with its gateway enabled?";
  return rejectionHint(details);
}

/** By the words of OpenSSL and Node's TLS. */
function connectionHint(details: string): Remedy | undefined {
  if (/self.signed certificate|unable to (verify|get local issuer)|altnames|certificate has expired/i.test(details)) {
    return [
      "the node's TLS certificate is not what its organization's TLS authority vouches for: ",
      { operation: "status" },
      " shows certificates",
    ];
  }
  if (/certificate required|bad certificate|handshake failure/i.test(details)) {
    return "the node asks for a client certificate (mutual TLS) and did not like ours";
  }
  return undefined;
}
