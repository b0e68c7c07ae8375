import { createHash } from "node:crypto";
import { type CallOptions as GrpcCallOptions, Client, InterceptingCall, type Interceptor, status } from "@grpc/grpc-js";
import {
  type ChaincodeEvent,
  CommitError,
  connect,
  type Contract,
  type Proposal,
  StatusCode,
} from "@hyperledger/fabric-gateway";
import { gateway as gatewayMessages, peer } from "@hyperledger/fabric-protos";
import type { CallOptions } from "./call-options.ts";
import { certificateBytes } from "../identity/certificate.ts";
import { gatewayFailure } from "./gateway-error.ts";
import { deadlineOf, type NodeClient } from "./node-client.ts";
import type { NodeConnection } from "./node-connection.ts";

/** A call of a chaincode through a peer's gateway, which finds the endorsers and the orderer. */
export interface TransactionCall {
  readonly channel: string;
  readonly chaincode: string;
  readonly function: string;
  readonly arguments?: readonly (string | Uint8Array)[];
  /** Passed to the chaincode, but not part of the transaction. */
  readonly transient?: Readonly<Record<string, string | Uint8Array>>;
  /** MSP IDs of the organizations that have to endorse. Unset: those that the endorsement policy asks for. */
  readonly endorsingOrganizations?: readonly string[];
  /** The call of Init that a definition may ask for. */
  readonly isInit?: boolean;
}

export interface CommittedTransaction {
  readonly result: Uint8Array;
  readonly transactionId: string;
  readonly blockNumber: bigint;
}

/** Chaincode events of a channel, in order, until closed. */
export interface EventStream extends AsyncIterable<ChaincodeEvent> {
  close(): void;
}

/** A peer's gateway service (Fabric 2.4 and later) for one identity. A call's own options override the client's. */
export interface PeerGateway {
  /** Calls a chaincode without writing to the ledger. Throws `chaincode` with its message when it answers with an error. */
  evaluate(call: TransactionCall, options?: CallOptions): Promise<Uint8Array>;
  /** Endorses, submits and waits until the peer has committed. The timeout is for each of these three calls. */
  submit(call: TransactionCall, options?: CallOptions): Promise<CommittedTransaction>;
  /** Events from the next block on, or from a given one. */
  chaincodeEvents(channel: string, chaincode: string, startBlock?: bigint): Promise<EventStream>;
  close(): void;
}

export function openGateway(client: NodeClient): PeerGateway {
  const { connection, identity } = client;
  const { client: credential } = connection.endpoint;
  const gateway = connect({
    client: connection.stub(Client),
    ...identity.gateway,
    ...(credential && {
      tlsClientCertificateHash: createHash("sha256").update(certificateBytes(credential.certificate)).digest(),
    }),
  });
  const proposalFor = (call: TransactionCall) => {
    const proposal = proposalOf(gateway.getNetwork(call.channel).getContract(call.chaincode), call);
    return call.isInit === true ? gateway.newProposal(asInit(proposal.getBytes())) : proposal;
  };
  const named = (call: TransactionCall) =>
    `${call.chaincode} ${call.function} on ${call.channel} by ${connection.name}`;
  return {
    evaluate: (call, options) =>
      translated(named(call), connection, () => evaluate(proposalFor(call), { ...client, ...options })),
    submit: (call, options) =>
      translated(named(call), connection, () => submit(proposalFor(call), { ...client, ...options })),
    async chaincodeEvents(channel, chaincode, startBlock) {
      const from = startBlock === undefined ? {} : { startBlock };
      const events = await gateway.getNetwork(channel).getChaincodeEvents(chaincode, from);
      return translatedEvents(`events of ${chaincode} on ${channel} by ${connection.name}`, connection, events);
    },
    close: () => gateway.close(),
  };
}

async function evaluate(proposal: Proposal, options: CallOptions): Promise<Uint8Array> {
  return proposal.evaluate(grpcOptions(options));
}

async function submit(proposal: Proposal, options: CallOptions): Promise<CommittedTransaction> {
  const transaction = await proposal.endorse(grpcOptions(options));
  const commit = await transaction.submit(grpcOptions(options));
  const { successful, code, blockNumber, transactionId } = await commit.getStatus(grpcOptions(options));
  if (!successful) {
    const message = `the transaction was not committed: ${statusName(code)} (transaction ${transactionId})`;
    throw new CommitError({ code, transactionId, message });
  }
  return { result: transaction.getResult(), transactionId, blockNumber };
}

function proposalOf(contract: Contract, call: TransactionCall): Proposal {
  return contract.newProposal(call.function, {
    arguments: [...(call.arguments ?? [])],
    ...(call.transient && { transientData: { ...call.transient } }),
    ...(call.endorsingOrganizations && { endorsingOrganizations: [...call.endorsingOrganizations] }),
  });
}

/** fabric-gateway has no option for Init: this sets the flag in the proposal's input, before it is signed. */
function asInit(proposed: Uint8Array): Uint8Array {
  const transaction = gatewayMessages.ProposedTransaction.deserializeBinary(proposed);
  const signed = transaction.getProposal() ?? new peer.SignedProposal();
  const proposal = peer.Proposal.deserializeBinary(signed.getProposalBytes_asU8());
  const payload = peer.ChaincodeProposalPayload.deserializeBinary(proposal.getPayload_asU8());
  const invocation = peer.ChaincodeInvocationSpec.deserializeBinary(payload.getInput_asU8());
  invocation.getChaincodeSpec()?.getInput()?.setIsInit(true);
  payload.setInput(invocation.serializeBinary());
  proposal.setPayload(payload.serializeBinary());
  signed.setProposalBytes(proposal.serializeBinary());
  signed.setSignature(new Uint8Array());
  transaction.setProposal(signed);
  return transaction.serializeBinary();
}

async function translated<Result>(
  what: string,
  { endpoint }: NodeConnection,
  act: () => Promise<Result>,
): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    throw gatewayFailure(what, error, endpoint);
  }
}

/** A failure of the event stream is seen only while events are read. */
function translatedEvents(what: string, { endpoint }: NodeConnection, events: EventStream): EventStream {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* events;
      } catch (error) {
        throw gatewayFailure(what, error, endpoint);
      }
    },
    close: () => events.close(),
  };
}

function grpcOptions(options: CallOptions): GrpcCallOptions {
  const { signal } = options;
  return { ...deadlineOf(options), ...(signal && { interceptors: [cancelledBy(signal)] }) };
}

/** grpc-js takes no AbortSignal, and the gateway's functions return no call that could be cancelled. */
function cancelledBy(signal: AbortSignal): Interceptor {
  return (options, nextCall) => {
    const call = new InterceptingCall(nextCall(options), {
      start(metadata, _listener, next) {
        next(metadata, {
          onReceiveStatus(received, pass) {
            signal.removeEventListener("abort", abort);
            pass(received);
          },
        });
        if (signal.aborted) abort();
      },
    });
    const abort = () => call.cancelWithStatus(status.CANCELLED, "interrupted");
    signal.addEventListener("abort", abort, { once: true });
    return call;
  };
}

function statusName(code: number): string {
  return Object.entries(StatusCode).find(([, value]) => value === code)?.[0] ?? `validation code ${code}`;
}
