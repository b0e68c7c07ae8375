import { FabricError } from "../../error.ts";
import { readableBuildFailure } from "./build-log.ts";
import { answers, says } from "../node/answers.ts";
import type { NodeClient } from "../node/node-client.ts";
import { propose } from "../node/proposal.ts";

/** Every chaincode made with a contract API answers this with a description of itself, and writes nothing. */
const describeItself = "org.hyperledger.fabric:GetMetadata";

/** What a peer says about a chaincode when it is called. */
export type ChaincodeAnswer =
  /** It runs; its own description when it has one (contract API), as JSON. */
  | { readonly state: "running"; readonly description: string | undefined }
  /** The definition asks for a first call of Init (core/chaincode/chaincode_support.go, CheckInvocation). Nothing was started. */
  | { readonly state: "not-initialized" };

/**
 * Calls a chaincode at one peer so that the peer starts it. The call is simulated and never submitted: the ledger stays
 * as it is, whatever the chaincode does with it. A chaincode without this function answers with an error, so it runs too.
 * Throws `rejected` with the peer's words when it could not be started.
 */
export async function startChaincode(client: NodeClient, channel: string, chaincode: string): Promise<ChaincodeAnswer> {
  try {
    const answer = await propose(client, { channel, chaincode, function: describeItself });
    return { state: "running", description: Buffer.from(answer).toString("utf8") };
  } catch (error) {
    const verdict = verdictOf(error);
    if (verdict) return verdict;
    throw readableBuildFailure(error);
  }
}

function verdictOf(error: unknown): ChaincodeAnswer | undefined {
  if (!(error instanceof FabricError) || error.code !== "rejected") return undefined;
  if (says(error.message, answers.initMissing)) return { state: "not-initialized" };
  const refused = says(error.message, answers.chaincodeRefused) || !says(error.message, answers.peerFailed);
  return refused && !(error.cause instanceof Error) ? { state: "running", description: undefined } : undefined;
}

/** Whether a chaincode could not be started because the daemon has no image of it, or the peer's own build of one failed. */
export function lacksImage(error: unknown): error is FabricError {
  return error instanceof FabricError && error.code === "rejected" && says(error.message, answers.imageLacking);
}
