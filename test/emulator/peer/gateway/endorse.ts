import { common, gateway, peer } from "@hyperledger/fabric-protos";
import { messageOf } from "../../log.ts";
import { FilteredProposal } from "../endorser.ts";
import type { PeerChannel } from "../peer-channel.ts";
import type { PeerChannels } from "../peer-channels.ts";
import { openProposal, type OpenProposal } from "../proposal.ts";
import { chooseEndorsers, policiesOf, type EndorsingPeer, type PeerDirectory } from "./peer-directory.ts";
import { code, RpcError, type ErrorDetail } from "./rpc-error.ts";

/** Of one peer (peer.gateway.endorsementTimeout in core.yaml). */
const timeoutMilliseconds = 30_000;

/** Evaluate and Endorse of the gateway (internal/pkg/gateway/evaluate.go, endorse.go). */
export class GatewayEndorsement {
  readonly #directory: PeerDirectory;
  readonly #channels: PeerChannels;
  readonly #mspId: string;

  constructor(directory: PeerDirectory, channels: PeerChannels, mspId: string) {
    this.#directory = directory;
    this.#channels = channels;
    this.#mspId = mspId;
  }

  async evaluate(request: gateway.EvaluateRequest): Promise<gateway.EvaluateResponse> {
    const signed = request.getProposedTransaction() ?? new peer.SignedProposal();
    const proposal = opened(signed, "failed to unpack transaction proposal: ");
    const channel = this.#channel(proposal.channelId);
    const hasTransient = proposal.payload.getTransientmapMap().getLength() > 0;
    const given = request.getTargetOrganizationsList();
    const organizations = given.length === 0 && hasTransient ? [this.#mspId] : given;
    const candidates = await this.#directory.endorsersOnce(() =>
      nonEmpty(this.#evaluators(channel, proposal.chaincodeName, organizations)),
    );
    if (candidates === undefined) {
      const reason = `no peers available to evaluate chaincode ${proposal.chaincodeName} in channel ${channel.channelId}`;
      throw new RpcError(
        code.FAILED_PRECONDITION,
        hasTransient && given.length === 0
          ? `no endorsers found in the gateway's organization; retry specifying target organization(s) to protect transient data: ${reason}`
          : reason,
      );
    }
    return evaluateAt(candidates, signed);
  }

  async endorse(request: gateway.EndorseRequest): Promise<gateway.EndorseResponse> {
    const signed = request.getProposedTransaction() ?? new peer.SignedProposal();
    if (signed.getProposalBytes_asU8().length === 0) {
      throw new RpcError(code.INVALID_ARGUMENT, "the proposed transaction must contain a signed proposal");
    }
    const proposal = opened(signed, "");
    const organizations = request.getEndorsingOrganizationsList();
    if (organizations.length === 0 && this.#channels.get(proposal.channelId) === undefined) {
      throw unknownChaincode(proposal.chaincodeName, proposal.channelId);
    }
    const channel = this.#channel(proposal.channelId);
    const responses =
      organizations.length > 0
        ? await this.#endorseByOrganizations(channel, proposal, organizations)
        : await this.#endorseByPolicy(channel, proposal);
    const response = new gateway.EndorseResponse();
    response.setPreparedTransaction(prepare(proposal, responses));
    return response;
  }

  #channel(channelId: string): PeerChannel {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) {
      throw new RpcError(
        code.UNAVAILABLE,
        `failed to get config for channel [${channelId}]: could not get last config for channel ${channelId}`,
      );
    }
    return channel;
  }

  #evaluators(channel: PeerChannel, name: string, organizations: readonly string[]): readonly EndorsingPeer[] {
    const all = this.#directory
      .endorsers(channel, name)
      .filter(({ mspId }) => organizations.length === 0 || organizations.includes(mspId));
    const isOwn = ({ mspId }: EndorsingPeer): boolean => mspId === this.#mspId;
    return [...all.filter(isOwn), ...all.filter((one) => !isOwn(one))];
  }

  async #endorseByOrganizations(
    channel: PeerChannel,
    proposal: OpenProposal,
    organizations: readonly string[],
  ): Promise<readonly peer.ProposalResponse[]> {
    const groups = (): readonly (readonly EndorsingPeer[])[] =>
      organizations.map((mspId) =>
        this.#directory.endorsers(channel, proposal.chaincodeName).filter((one) => one.mspId === mspId),
      );
    const complete = await this.#directory.endorsersOnce(() => {
      const found = groups();
      return found.every((group) => group.length > 0) ? found : undefined;
    });
    if (complete === undefined) {
      const missing = organizations.filter((_, index) => groups()[index]?.length === 0);
      throw new RpcError(code.UNAVAILABLE, `failed to find any endorsing peers for org(s): ${missing.join(", ")}`);
    }
    const details: ErrorDetail[] = [];
    const responses = await Promise.all(complete.map((group) => firstEndorsement(group, proposal, details)));
    return allAgree(responses, complete, details);
  }

  async #endorseByPolicy(channel: PeerChannel, proposal: OpenProposal): Promise<readonly peer.ProposalResponse[]> {
    const details: ErrorDetail[] = [];
    const hasTransient = proposal.payload.getTransientmapMap().getLength() > 0;
    const { chaincodeName } = proposal;
    const all = await this.#directory.endorsersOnce(() => nonEmpty(this.#directory.endorsers(channel, chaincodeName)));
    const own = (all ?? []).filter(({ mspId }) => mspId === this.#mspId);
    if (own.length === 0 && hasTransient) {
      throw new RpcError(
        code.FAILED_PRECONDITION,
        "no endorsers found in the gateway's organization; retry specifying endorsing organization(s) to protect transient data",
      );
    }
    if (all === undefined) {
      throw unknownChaincode(chaincodeName, channel.channelId);
    }
    const firstResult = await firstEndorsement(own.length === 0 ? all : own, proposal, details);
    if (firstResult === undefined) {
      throw new RpcError(code.ABORTED, "failed to endorse transaction, see attached details for more info", details);
    }
    return this.#complete(channel, proposal, firstResult, details);
  }

  /** Adds to the first endorsement what the policies of everything it touched ask for. */
  async #complete(
    channel: PeerChannel,
    proposal: OpenProposal,
    first: Endorsed,
    details: ErrorDetail[],
  ): Promise<readonly peer.ProposalResponse[]> {
    const calls = first.response.getInterest()?.getChaincodesList() ?? [];
    const interest = calls.length === 0 ? [chaincodeCall(proposal.chaincodeName)] : calls;
    const failedPeers = new Set<string>();
    for (;;) {
      const chosen = await this.#directory.endorsersOnce(() =>
        this.#choose(channel, interest, first.peer, failedPeers),
      );
      if (chosen === undefined) {
        if (details.length === 0) {
          throw planFailure("no peer combination can satisfy the endorsement policy");
        }
        throw new RpcError(
          code.ABORTED,
          "failed to collect enough transaction endorsements, see attached details for more info",
          details,
        );
      }
      const others = chosen.filter(({ endpoint }) => endpoint !== first.peer.endpoint);
      const results = await Promise.all(others.map((other) => firstEndorsement([other], proposal, details)));
      if (results.every((result) => result !== undefined)) {
        return allAgree([first, ...results], [[first.peer], ...others.map((other) => [other])], details);
      }
      others.filter((_, index) => results[index] === undefined).forEach(({ endpoint }) => failedPeers.add(endpoint));
    }
  }

  #choose(
    channel: PeerChannel,
    interest: readonly peer.ChaincodeCall[],
    first: EndorsingPeer,
    excluded: ReadonlySet<string>,
  ): readonly EndorsingPeer[] | undefined {
    const policies = policiesOf(channel, interest);
    const withAll = interest
      .map((call) => this.#directory.endorsers(channel, call.getName()))
      .reduce((some, next) => some.filter((one) => next.some(({ endpoint }) => endpoint === one.endpoint)));
    const others = withAll.filter(({ endpoint }) => endpoint !== first.endpoint && !excluded.has(endpoint));
    return chooseEndorsers([first, ...others], policies, (bytes) => channel.config.msps.deserialize(bytes));
  }
}

interface Endorsed {
  readonly peer: EndorsingPeer;
  readonly response: peer.ProposalResponse;
}

async function evaluateAt(
  candidates: readonly EndorsingPeer[],
  signed: peer.SignedProposal,
): Promise<gateway.EvaluateResponse> {
  const details: ErrorDetail[] = [];
  for (const candidate of candidates) {
    const outcome = await ask(candidate, signed);
    if (outcome.kind === "endorsed") {
      const result = outcome.response.getResponse() ?? new peer.Response();
      const response = new gateway.EvaluateResponse();
      response.setResult(resultOf(outcome.response, result));
      return response;
    }
    details.push(detailOf(candidate, outcome.message));
    if (!outcome.retry) {
      throw new RpcError(outcome.code, `evaluate call to endorser returned error: ${outcome.message}`, details);
    }
    if (candidate === candidates.at(-1)) {
      throw new RpcError(outcome.code, "failed to evaluate transaction, see attached details for more info", details);
    }
  }
  throw new RpcError(code.UNAVAILABLE, "no peers available to evaluate");
}

/** The result stands in the action too, and only there in what a chaincode gave. */
function resultOf(response: peer.ProposalResponse, result: peer.Response): peer.Response {
  const payload = peer.ProposalResponsePayload.deserializeBinary(response.getPayload_asU8());
  const action = peer.ChaincodeAction.deserializeBinary(payload.getExtension_asU8());
  result.setPayload(action.getResponse()?.getPayload_asU8() ?? new Uint8Array());
  return result;
}

type Outcome =
  | { readonly kind: "endorsed"; readonly response: peer.ProposalResponse }
  | { readonly kind: "failed"; readonly code: code; readonly message: string; readonly retry: boolean };

/** internal/pkg/gateway/apiutils.go responseStatus. */
async function ask(candidate: EndorsingPeer, signed: peer.SignedProposal): Promise<Outcome> {
  let response: peer.ProposalResponse;
  try {
    response = await candidate.process(signed, timeoutMilliseconds);
  } catch (error) {
    return candidate.isLocal && !(error instanceof FilteredProposal)
      ? { kind: "failed", code: code.FAILED_PRECONDITION, message: messageOf(error), retry: false }
      : { kind: "failed", code: code.UNAVAILABLE, message: rpcText(error), retry: true };
  }
  const status = response.getResponse()?.getStatus() ?? 0;
  const message = response.getResponse()?.getMessage() ?? "";
  if (status >= 200 && status < 400) {
    return { kind: "endorsed", response };
  }
  return response.getPayload_asU8().length === 0 && status === 500
    ? { kind: "failed", code: code.ABORTED, message, retry: true }
    : { kind: "failed", code: code.UNKNOWN, message: `chaincode response ${status}, ${message}`, retry: false };
}

/** Go's words for an error that came over gRPC. */
function rpcText(error: unknown): string {
  const { code: number, details } = error as { readonly code?: number; readonly details?: string };
  return number === undefined
    ? messageOf(error)
    : `rpc error: code = ${goNames[number] ?? number} desc = ${details ?? ""}`;
}

const goNames: Readonly<Record<number, string>> = {
  [code.UNKNOWN]: "Unknown",
  [code.UNAVAILABLE]: "Unavailable",
  [code.DEADLINE_EXCEEDED]: "DeadlineExceeded",
};

async function firstEndorsement(
  candidates: readonly EndorsingPeer[],
  proposal: OpenProposal,
  details: ErrorDetail[],
): Promise<Endorsed | undefined> {
  for (const candidate of candidates) {
    const outcome = await ask(candidate, proposal.signed);
    if (outcome.kind === "endorsed") {
      return { peer: candidate, response: outcome.response };
    }
    details.push(detailOf(candidate, outcome.message));
  }
  return undefined;
}

function allAgree(
  results: readonly (Endorsed | undefined)[],
  groups: readonly (readonly EndorsingPeer[])[],
  details: ErrorDetail[],
): readonly peer.ProposalResponse[] {
  const endorsed = results.filter((result) => result !== undefined);
  const [first] = endorsed;
  const same = endorsed.filter(({ response, peer: endorser }) => {
    const agrees = Buffer.from(response.getPayload_asU8()).equals(
      first?.response.getPayload_asU8() ?? new Uint8Array(),
    );
    if (!agrees) {
      details.push(detailOf(endorser, "ProposalResponsePayloads do not match"));
    }
    return agrees;
  });
  if (same.length < groups.length) {
    throw new RpcError(
      code.ABORTED,
      "failed to collect enough transaction endorsements, see attached details for more info",
      details,
    );
  }
  return same.map(({ response }) => response);
}

/** The transaction as the client is to sign it (internal/pkg/gateway/submit.go prepareTransaction). */
function prepare(proposal: OpenProposal, responses: readonly peer.ProposalResponse[]): common.Envelope {
  const visible = new peer.ChaincodeProposalPayload();
  visible.setInput(proposal.payload.getInput_asU8());
  const endorsed = new peer.ChaincodeEndorsedAction();
  endorsed.setProposalResponsePayload(responses[0]?.getPayload_asU8() ?? new Uint8Array());
  responses.forEach((response) => endorsed.addEndorsements(response.getEndorsement()));
  const payload = new peer.ChaincodeActionPayload();
  payload.setChaincodeProposalPayload(visible.serializeBinary());
  payload.setAction(endorsed);
  const action = new peer.TransactionAction();
  action.setHeader(proposal.header.getSignatureHeader_asU8());
  action.setPayload(payload.serializeBinary());
  const transaction = new peer.Transaction();
  transaction.addActions(action);
  const content = new common.Payload();
  content.setHeader(proposal.header);
  content.setData(transaction.serializeBinary());
  const envelope = new common.Envelope();
  envelope.setPayload(content.serializeBinary());
  return envelope;
}

function opened(signed: peer.SignedProposal, context: string): OpenProposal {
  try {
    if (signed.getProposalBytes_asU8().length === 0) {
      throw new Error("a signed proposal is required");
    }
    return openProposal(signed);
  } catch (error) {
    throw new RpcError(code.INVALID_ARGUMENT, `${context}${messageOf(error)}`);
  }
}

function unknownChaincode(name: string, channelId: string): RpcError {
  return planFailure(`No metadata was found for chaincode ${name} in channel ${channelId}`);
}

function planFailure(reason: string): RpcError {
  return new RpcError(
    code.FAILED_PRECONDITION,
    `no combination of peers can be derived which satisfy the endorsement policy: ${reason}`,
  );
}

function chaincodeCall(name: string): peer.ChaincodeCall {
  const call = new peer.ChaincodeCall();
  call.setName(name);
  return call;
}

function detailOf({ endpoint, mspId }: EndorsingPeer, message: string): ErrorDetail {
  return { address: endpoint, mspId, message };
}

function nonEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}
