import { common, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { answers, says } from "./answers.ts";
import { channelHeader, newNonce, signatureHeader, transactionId } from "./header.ts";
import { deadlineOf, type NodeClient, unary } from "./node-client.ts";
import { rejectionHint } from "./rejection.ts";
import type { SigningIdentity } from "../identity/signing-identity.ts";

/** A call of a chaincode at one peer. */
export interface Invocation {
  /** Empty for a call that belongs to the peer, not to a channel. */
  readonly channel: string;
  readonly chaincode: string;
  readonly function: string;
  readonly arguments?: readonly Uint8Array[];
}

/**
 * Proposes a call to one peer and returns the chaincode's answer: the way to call system chaincodes
 * (core/endorser/endorser.go, ProcessProposal). Throws `rejected` with the peer's message when it refuses, `not-found` for an
 * unknown channel.
 */
export async function propose(client: NodeClient, invocation: Invocation): Promise<Uint8Array> {
  const { connection, identity } = client;
  const signed = await signedProposal(identity, invocation);
  const what = `${invocation.chaincode} ${invocation.function} at ${connection.name}`;
  const endorser = connection.stub(peer.EndorserClient);
  const answer = await unary<peer.ProposalResponse>(client, what, (callback) =>
    endorser.processProposal(signed, deadlineOf(client), callback),
  );
  const response = answer.getResponse();
  const status = response?.getStatus() ?? 0;
  // Fabric treats a status below 400 as success (core/endorser/endorser.go).
  if (status >= 200 && status < 400) return response?.getPayload_asU8() ?? new Uint8Array();
  const message = response?.getMessage() || `status ${status}`;
  const chaincodeSaysIt = !peersOwn.has(invocation.chaincode) && !isPeersFailure(answer, status);
  throw chaincodeSaysIt ? new FabricError("rejected", `${what}: ${message}`) : proposalError(what, message);
}

/** The peer's own chaincodes: what they say, the peer says. */
const peersOwn: ReadonlySet<string> = new Set(["_lifecycle", "cscc", "qscc"]);

/** Whether the peer itself has failed, and not the chaincode: only what was simulated has a payload (internal/pkg/gateway/endorse.go). */
function isPeersFailure(answer: peer.ProposalResponse, status: number): boolean {
  return status === 500 && answer.getPayload_asU8().length === 0;
}

async function signedProposal(identity: SigningIdentity, invocation: Invocation): Promise<peer.SignedProposal> {
  const proposal = proposalOf(identity.creator, invocation, new Date(), newNonce()).serializeBinary();
  const signed = new peer.SignedProposal();
  signed.setProposalBytes(proposal);
  signed.setSignature(await identity.sign(proposal));
  return signed;
}

/** protoutil/proputils.go, CreateChaincodeProposalWithTxIDNonceAndTransient. */
function proposalOf(creator: Uint8Array, invocation: Invocation, now: Date, nonce: Uint8Array): peer.Proposal {
  const extension = new peer.ChaincodeHeaderExtension();
  extension.setChaincodeId(chaincodeId(invocation));
  const header = new common.Header();
  header.setChannelHeader(
    channelHeader({
      type: common.HeaderType.ENDORSER_TRANSACTION,
      channel: invocation.channel,
      now,
      transactionId: transactionId(nonce, creator),
      extension: extension.serializeBinary(),
    }).serializeBinary(),
  );
  header.setSignatureHeader(signatureHeader(creator, nonce).serializeBinary());
  const proposal = new peer.Proposal();
  proposal.setHeader(header.serializeBinary());
  proposal.setPayload(proposalPayload(invocation).serializeBinary());
  return proposal;
}

function proposalPayload(invocation: Invocation): peer.ChaincodeProposalPayload {
  const input = new peer.ChaincodeInput();
  input.setArgsList([Buffer.from(invocation.function), ...(invocation.arguments ?? [])]);
  const spec = new peer.ChaincodeSpec();
  spec.setType(peer.ChaincodeSpec.Type.GOLANG);
  spec.setChaincodeId(chaincodeId(invocation));
  spec.setInput(input);
  const invocationSpec = new peer.ChaincodeInvocationSpec();
  invocationSpec.setChaincodeSpec(spec);
  const payload = new peer.ChaincodeProposalPayload();
  payload.setInput(invocationSpec.serializeBinary());
  return payload;
}

function chaincodeId({ chaincode }: Invocation): peer.ChaincodeID {
  const id = new peer.ChaincodeID();
  id.setName(chaincode);
  return id;
}

function proposalError(what: string, message: string): FabricError {
  if (says(message, answers.channelUnknown)) {
    return new FabricError("not-found", `${what}: ${message}`, {
      hint: [{ operation: "join" }, " joins the peer to the channel"],
    });
  }
  return new FabricError("rejected", `${what}: ${message}`, { hint: rejectionHint(message) });
}
