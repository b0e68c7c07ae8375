import { FabricError, messageOf } from "../../error.ts";
import type { EventStream, TransactionCall } from "../../fabric/node/gateway.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { reachOrganization } from "../../network/session/reach.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import { mspIdsOf, transactionFailure } from "../deployment/unknown-name.ts";

export interface TransactionRequest {
  readonly chaincode: string;
  readonly channel: string;
  readonly function: string;
  readonly arguments: readonly string[];
  /** Whose administrator signs; the first whose Secrets may be read unless told. */
  readonly organization?: string | undefined;
  /** Handed to the chaincode, kept out of the transaction. */
  readonly transient?: Readonly<Record<string, Uint8Array>> | undefined;
  /** Names or MSP IDs; what the endorsement policy asks for unless told. */
  readonly endorsingOrganizations?: readonly string[] | undefined;
  /** The call of Init that a definition may ask for. */
  readonly isInit?: boolean | undefined;
  /** Wait for the event of this name that the transaction sets. */
  readonly waitEvent?: string | undefined;
}

export interface TransactionResult {
  /** What the chaincode returned. */
  readonly payload: Uint8Array;
  /** Only of a committed transaction. */
  readonly transactionId?: string;
  readonly blockNumber?: string;
  readonly event?: { readonly name: string; readonly payload: Uint8Array };
}

/**
 * Calls a chaincode through the gateway of an organization's peer. Throws `chaincode` when it answers with an error, `usage` when
 * there is no channel, chaincode or organization of a name.
 */
export async function transact(
  network: OpenNetwork,
  kind: "invoke" | "query",
  request: TransactionRequest,
  timeout: number,
  signal: AbortSignal,
): Promise<TransactionResult> {
  const { channel, chaincode, waitEvent } = request;
  const call = callOf(network, request);
  const organization = await signingOrganization(network, request.organization, signal);
  const client = await reachOrganization(network, organization, signal);
  const { gateway } = client;
  const explained = async (failure: unknown): Promise<never> => {
    throw tooSlow(await transactionFailure(network.definition, client, request, failure));
  };
  if (kind === "query") return { payload: await gateway.evaluate(call, { timeout }).catch(explained) };
  const { result, transactionId, blockNumber } = await gateway.submit(call, { timeout }).catch(explained);
  const committed = { payload: result, transactionId, blockNumber: String(blockNumber) };
  if (waitEvent === undefined) return committed;
  // From the transaction's own block on: nothing can be missed.
  const events = await gateway.chaincodeEvents(channel, chaincode, blockNumber);
  const wanted = { transactionId, name: waitEvent };
  return {
    ...committed,
    event: await eventOf(events, wanted, AbortSignal.any([signal, AbortSignal.timeout(timeout)])),
  };
}

/** The time is the user's own. */
function tooSlow(failure: unknown): unknown {
  if (!(failure instanceof FabricError) || failure.code !== "timeout" || failure.hint !== undefined) return failure;
  return new FabricError("timeout", failure.message, {
    hint: [{ setting: "timeout" }, " gives it longer, as ", { setting: "timeout", to: "5m" }],
    cause: failure,
  });
}

function callOf(network: OpenNetwork, request: TransactionRequest): TransactionCall {
  const { channel, chaincode, function: name, arguments: args, transient, endorsingOrganizations, isInit } = request;
  return {
    channel,
    chaincode,
    function: name,
    arguments: args,
    ...(transient ? { transient } : {}),
    ...(endorsingOrganizations ? { endorsingOrganizations: mspIdsOf(network.definition, endorsingOrganizations) } : {}),
    ...(isInit === true ? { isInit } : {}),
  };
}

/** A transaction has one event at most: one of another name means that the wanted one never comes. */
async function eventOf(
  events: EventStream,
  { transactionId, name }: { readonly transactionId: string; readonly name: string },
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly payload: Uint8Array }> {
  const close = () => events.close();
  signal.addEventListener("abort", close, { once: true });
  const missing = (found: string, cause?: unknown) =>
    new FabricError("not-found", `expected the event ${name} of transaction ${transactionId}, found ${found}`, {
      hint: "the transaction itself is committed",
      cause,
    });
  let found = "none in time";
  try {
    for await (const event of events) {
      if (event.transactionId !== transactionId) continue;
      if (event.eventName === name) return { name, payload: event.payload };
      found = event.eventName;
      break;
    }
  } catch (error) {
    if (!signal.aborted && !(error instanceof FabricError)) throw error;
    throw missing(signal.aborted ? found : `none: ${messageOf(error)}`, error);
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
  throw missing(found);
}

async function signingOrganization(
  network: OpenNetwork,
  name: string | undefined,
  signal: AbortSignal,
): Promise<PeerOrganization> {
  const all = network.definition.spec.peerOrganizations;
  if (name !== undefined) {
    const organization = all.find((candidate) => candidate.name === name);
    if (organization) return organization;
    throw new FabricError(
      "usage",
      `expected a peer organization of the network (${all.map((it) => it.name).join(", ")}), found ${name}`,
    );
  }
  let refusal: unknown;
  for (const organization of all) {
    try {
      await network.administrator(organization, signal);
      return organization;
    } catch (error) {
      if (!(error instanceof FabricError) || error.code !== "forbidden") throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}
