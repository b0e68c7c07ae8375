import { CommitError, EndorseError, GatewayError, StatusCode } from "@hyperledger/fabric-gateway";
import { type ErrorCode, FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { answers, says } from "./answers.ts";
import type { Endpoint } from "./endpoint.ts";
import { grpcDetails, grpcErrorCode, grpcErrorHint, isReset, isUnavailable, resetConnection } from "./grpc-error.ts";

/** The error for a user from a failed gateway call, with every endorser's message. `what` names the call. */
export function gatewayFailure(what: string, thrown: unknown, endpoint: Pick<Endpoint, "lastFailure"> = {}): unknown {
  if (thrown instanceof CommitError) return commitFailure(what, thrown);
  if (!(thrown instanceof GatewayError)) return thrown;
  const { details, cause } = thrown;
  if (details.length === 0 && isUnavailable(cause) && isReset(cause.details)) {
    const reset = resetConnection(what, cause.details, endpoint, { cause: thrown, fate: fateOf(thrown) });
    // No LostConnection, which would be tried again: only the sender knows whether a transaction may be sent twice.
    return new FabricError(reset.code, reset.message, { hint: reset.hint, cause: thrown });
  }
  const reasons = details.map(({ address, mspId, message }) => `  ${address} (${mspId}): ${message}`);
  const summary = grpcDetails(cause) || thrown.message;
  const text = [summary, ...reasons].join("\n");
  const code = codeOf(thrown, text);
  // What chaincode says is about its own business: its "expired" is no certificate's.
  const ofPeers = [summary, ...details.map(({ message }) => message)]
    .filter((said) => !says(said, answers.chaincodeAnswered))
    .join("\n");
  const message = says(ofPeers, ...nobodyOrders)
    ? `expected orderers that order the channel's transactions, found none: ${text}`
    : `${text}${code === "timeout" || code === "interrupted" ? fateOf(thrown) : ""}`;
  return new FabricError(code, `${what}: ${message}`, { hint: hintOf(thrown, ofPeers), cause: thrown });
}

/** Says whether the transaction of a failed call may still be committed. */
function fateOf(error: GatewayError): string {
  if (error instanceof EndorseError) return "; nothing is written";
  // SubmitError, which fabric-gateway exports as a type alone, and CommitStatusError. A failed evaluation has no transaction.
  return "transactionId" in error ? `; the transaction ${String(error.transactionId)} may still be committed` : "";
}

/**
 * Whether a transaction failed only because the state was changing: another transaction changed keys that it had read (approvals by
 * several organizations at once), or one endorser lacked a block that another one had, and answered differently.
 * The same call may succeed now, if the chaincode is deterministic.
 */
export function isStateRace(error: unknown): error is FabricError {
  if (!(error instanceof FabricError)) return false;
  if (says(error.message, answers.endorsersDiffer)) return true;
  if (!(error.cause instanceof CommitError)) return false;
  const { code } = error.cause;
  return code === StatusCode.MVCC_READ_CONFLICT || code === StatusCode.PHANTOM_READ_CONFLICT;
}

/** Answers of a gateway that knows no peer for a channel, a chaincode or an organization. */
const nobodyToAsk = [answers.noChannelConfig, answers.noCombination, answers.noEndorsers, answers.noEvaluator];

/** Whether a transaction failed because the gateway knew no peer to ask: a name may be wrong, or the peers that have it are away. */
export function foundNobodyToAsk(error: unknown): error is FabricError {
  return error instanceof FabricError && error.cause instanceof GatewayError && says(error.message, ...nobodyToAsk);
}

function commitFailure(what: string, error: CommitError): FabricError {
  return new FabricError("rejected", `${what}: ${error.message}`, { hint: commitHints.get(error.code), cause: error });
}

const commitHints: ReadonlyMap<number, string> = new Map([
  [StatusCode.MVCC_READ_CONFLICT, "another transaction changed the same keys first: try again"],
  [StatusCode.PHANTOM_READ_CONFLICT, "another transaction changed the queried range first: try again"],
  [
    StatusCode.ENDORSEMENT_POLICY_FAILURE,
    "not all organizations that the endorsement policy asks for have endorsed it",
  ],
]);

const nobodyOrders = [answers.noOrderers, answers.tooFewOrderers];
const nobodyEndorses = [answers.noCombination, answers.noEndorserSet, answers.noEndorsers];

function codeOf(error: GatewayError, text: string): ErrorCode {
  if (says(text, answers.chaincodeAnswered)) return "chaincode";
  if (says(text, ...nobodyEndorses, answers.noEvaluator, ...nobodyOrders)) return "not-ready";
  return grpcErrorCode(error.code);
}

function hintOf(error: GatewayError, text: string): Remedy | undefined {
  if (says(text, ...nobodyEndorses)) {
    return "peers of the endorsing organizations must have the chaincode installed and approved, and find each other by gossip (anchor peers, CORE_PEER_GOSSIP_EXTERNALENDPOINT)";
  }
  if (says(text, answers.notInstalled)) {
    return [
      "the peer's organization has not approved a package for the committed definition: ",
      { operation: "deploy" },
    ];
  }
  if (says(text, answers.noEvaluator)) {
    return ["no such chaincode is committed on the channel, or no peer runs it: ", { operation: "deploy" }];
  }
  if (says(text, ...nobodyOrders)) {
    return [
      { operation: "status" },
      " shows which orderers are ready: most of them have to be, and to have elected a leader",
    ];
  }
  if (says(text, answers.initUnwanted)) {
    return ["leave ", { setting: "initRequired" }, " out: the definition asks for no call of Init"];
  }
  if (says(text, answers.initDone)) return ["leave ", { setting: "initRequired" }, " out: Init has been called"];
  if (says(text, answers.initMissing)) {
    return [
      "the definition asks for a call of Init before: ",
      { operation: "invoke" },
      " with ",
      { setting: "initRequired" },
      ", and what Init wants",
    ];
  }
  return grpcErrorHint({ code: error.code, details: text });
}
