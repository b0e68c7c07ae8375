import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorCode, type ErrorDetails, FabricError, LostConnection } from "../error.ts";
import type { Endpoint } from "./endpoint.ts";
import { rejectionHint } from "./rejection.ts";

/** Whether this is what a gRPC call fails with. */
export function isServiceError(thrown: unknown): thrown is ServiceError {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "number" && "details" in thrown;
}

/** A failed gRPC call as a user meets it. `what` was to be done: "joining mychannel at peer0.org1". */
export function grpcError(
  what: string,
  error: ServiceError,
  endpoint: Pick<Endpoint, "lastFailure"> = {},
): FabricError {
  const { code }: GrpcFailure = error;
  const details = { hint: grpcErrorHint(error), cause: error };
  if (code === unavailable && isReset(error.details)) return resetConnection(what, error.details, endpoint, details);
  const message = `${what}: ${grpcDetails(error)}`;
  return isCut(error)
    ? new LostConnection(message, details)
    : new FabricError(grpcErrorCode(error.code), message, details);
}

/** What it failed with, in words. grpc-js tells of each part of its waiting how long it took (client_call.ts, "Deadline exceeded after"). */
export function grpcDetails({ details, message }: Pick<ServiceError, "details" | "message">): string {
  return (details || message).replace(/^(\d+ \w+: )?Deadline exceeded\b.*$/s, "no answer in time");
}

/** Cut while the call was under way; a channel that cannot connect at all says so first (grpc-js, subchannel and pick_first). */
function isCut({ code, details }: GrpcFailure): boolean {
  return code === unavailable && !/^(No connection established|Name resolution failed)/.test(details);
}

/** Whether Node says of a connection that the other side has closed it without a word. */
export const isReset = (text: string): boolean => /ECONNRESET|EPIPE|socket hang up/.test(text);

/** Failures of what leads to a node that pass: it has just started, and does not listen yet; the API server is away. */
const passing: readonly ErrorCode[] = ["connection", "cluster-unreachable"];

/** What a reset comes to, in the words of whatever leads to the node where that knows why, else in its own `text`. */
export function resetConnection(
  what: string,
  text: string,
  { lastFailure }: Pick<Endpoint, "lastFailure">,
  details: ErrorDetails,
): FabricError {
  const failure = lastFailure?.();
  if (failure === undefined) return new LostConnection(`${what}: ${text}`, details);
  const { code, hint } = failure;
  const message = `${what}: ${failure.message}`;
  return passing.includes(code)
    ? new LostConnection(message, { ...details, hint })
    : new FabricError(code, message, { ...details, hint });
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
