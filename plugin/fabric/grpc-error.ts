import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, FabricError, LostConnection } from "../error.ts";
import { rejectionHint } from "./rejection.ts";

/** Whether this is what a gRPC call fails with. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" && "details" in thrown;
}

/** A failed gRPC call as a user meets it. `what` was to be done: "joining mychannel at peer0.org1". */
export function grpcError(what: string, error: ServiceError): FabricError {
  const message = `${what}: ${grpcDetails(error)}`;
  const details = { hint: grpcErrorHint(error), cause: error };
  return isCut(error)
    ? new LostConnection(message, details)
    : new FabricError(grpcErrorCode(error.code), message, details);
}

/** What it failed with, in words. grpc-js tells of each part of its waiting how long it took (client_call.ts, "Deadline exceeded after"). */
export function grpcDetails({ details, message }: Pick<ServiceError, "details" | "message">): string {
  return (details || message).replace(/^(\d+ \w+: )?Deadline exceeded\b.*$/s, "no answer in time");
}

/**
 * Cut, before or while the call was under way. A channel that cannot connect at all says so first (grpc-js, subchannel and pick_first);
 * a reset among that is a node behind a forwarded port, which has just started: the forward took the connection, and nobody listens yet.
 */
function isCut({ code, details }: GrpcFailure): boolean {
  if (code !== unavailable) return false;
  return isReset(details) || !/^(No connection established|Name resolution failed)/.test(details);
}

/** Whether Node says of a connection that the other side has closed it without a word. */
export const isReset = (text: string): boolean => /ECONNRESET|EPIPE|socket hang up/.test(text);

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
const unimplemented: number = status.UNIMPLEMENTED;

interface GrpcFailure {
  readonly code: number;
  readonly details: string;
}

export function grpcErrorHint({ code, details }: GrpcFailure): string | undefined {
  if (code === unavailable) return connectionHint(details);
  if (code === unimplemented)
    return "the node does not offer this service: is it a peer where a peer is expected, with its gateway enabled?";
  return rejectionHint(details);
}

/** By the words of OpenSSL and Node's TLS. */
function connectionHint(details: string): string | undefined {
  if (/self.signed certificate|unable to (verify|get local issuer)|altnames|certificate has expired/i.test(details)) {
    return "the node's TLS certificate is not what its organization's TLS authority vouches for: kubectl fabric status shows certificates";
  }
  if (/certificate required|bad certificate|handshake failure/i.test(details)) {
    return "the node asks for a client certificate (mutual TLS) and did not like ours";
  }
  return undefined;
}
