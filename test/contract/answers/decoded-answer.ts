import { status as grpcStatus, type StatusObject } from "@grpc/grpc-js";
import { common, gateway, google, peer, type orderer } from "@hyperledger/fabric-protos";
import { printEndorsementPolicy } from "../../../core/fabric/policy/endorsement-policy.ts";
import type { Heard, HeardCall } from "../../integration/emulator/network/answers.ts";
import { decodedBlock, decodedFilteredBlock } from "./decoded-block.ts";
import { decodedAction } from "./decoded-sets.ts";
import { nameOf, plain, printable, sorted, type Json } from "./json.ts";

/** What a node answered, as people read it: messages inside of messages decoded, what only signs and identifies left out. */
export function decodedAnswer(heard: Heard): Json {
  if (heard.kind === "fact") return { call: heard.what, at: heard.at, answer: plain(heard.answer) };
  const called = calledIn(heard);
  const [, name = heard.method] = /([^/]+)$/.exec(heard.method) ?? [];
  return {
    call: [name, called.chaincode, called.function].filter((word) => word !== undefined).join(" "),
    at: heard.at,
    tx: called.transaction,
    answer: answerOf(heard, called),
    error: errorOf(heard.status),
  };
}

function answerOf({ method, messages }: HeardCall, called: Called): Json | undefined {
  const read = readers[method];
  const answers = messages.map((message) => (read === undefined ? plain(message) : read(message, called)));
  return answers.length > 1 ? answers : answers[0];
}

interface Called {
  readonly chaincode?: string;
  readonly function?: string;
  readonly transaction?: string;
}

type Reader = (message: unknown, called: Called) => Json;

/** By the path of the method. */
const readers: Readonly<Record<string, Reader>> = {
  "/protos.Endorser/ProcessProposal": (message, called) => {
    const answer = message as peer.ProposalResponse;
    return { ...decodedResponse(answer.getResponse(), called), ...effects(answer.getPayload_asU8()) };
  },
  "/gateway.Gateway/Evaluate": (message, called) =>
    decodedResponse((message as gateway.EvaluateResponse).getResult(), called),
  "/gateway.Gateway/Endorse": (message, called) => {
    const envelope = (message as gateway.EndorseResponse).getPreparedTransaction() ?? new common.Envelope();
    return endorsement(envelope, called);
  },
  "/gateway.Gateway/Submit": () => ({}),
  "/gateway.Gateway/CommitStatus": (message) => {
    const answer = message as gateway.CommitStatusResponse;
    const code = nameOf(peer.TxValidationCode, answer.getResult());
    return { code, block: `block ${answer.getBlockNumber()}` };
  },
  "/orderer.AtomicBroadcast/Broadcast": (message) => {
    const answer = message as orderer.BroadcastResponse;
    return { status: nameOf(common.Status, answer.getStatus()), info: answer.getInfo() };
  },
  "/orderer.AtomicBroadcast/Deliver": delivered,
  "/protos.Deliver/Deliver": delivered,
  "/protos.Deliver/DeliverFiltered": delivered,
};

function delivered(message: unknown): Json {
  const answer = message as orderer.DeliverResponse | peer.DeliverResponse;
  const block = answer.getBlock();
  if (block !== undefined) return decodedBlock(block);
  const filtered = answer instanceof peer.DeliverResponse ? answer.getFilteredBlock() : undefined;
  return filtered === undefined ? nameOf(common.Status, answer.getStatus()) : decodedFilteredBlock(filtered);
}

/** Read and write sets, and the event: what is endorsed. */
function effects(bytes: Uint8Array): { readonly [key: string]: Json | undefined } {
  const payload = peer.ProposalResponsePayload.deserializeBinary(bytes);
  return decodedAction(peer.ChaincodeAction.deserializeBinary(payload.getExtension_asU8()));
}

/** What the gateway made of the answers of several peers. */
function endorsement(envelope: common.Envelope, called: Called): Json {
  const payload = common.Payload.deserializeBinary(envelope.getPayload_asU8());
  const transaction = peer.Transaction.deserializeBinary(payload.getData_asU8());
  const [action] = transaction.getActionsList();
  const content = peer.ChaincodeActionPayload.deserializeBinary(action?.getPayload_asU8() ?? new Uint8Array());
  const endorsed = content.getAction()?.getProposalResponsePayload_asU8() ?? new Uint8Array();
  const response = peer.ProposalResponsePayload.deserializeBinary(endorsed);
  const result = peer.ChaincodeAction.deserializeBinary(response.getExtension_asU8()).getResponse();
  const endorsements = content.getAction()?.getEndorsementsList().length ?? 0;
  return { ...decodedResponse(result, called), endorsements, ...effects(endorsed) };
}

function decodedResponse(response: peer.Response | undefined, called: Called) {
  if (response === undefined) return {};
  const bytes = response.getPayload_asU8();
  return {
    status: response.getStatus(),
    message: response.getMessage() || undefined,
    payload: bytes.length === 0 ? undefined : decodedPayload(bytes, called),
  };
}

function decodedPayload(bytes: Uint8Array, { chaincode, function: name = "" }: Called): Json {
  if (chaincode === "_lifecycle") return decodedResult(bytes, name);
  const read = systemPayloads[`${chaincode} ${name}`];
  return read === undefined ? printable(bytes) : read(bytes);
}

const systemPayloads: Readonly<Record<string, (bytes: Uint8Array) => Json>> = {
  "cscc GetChannels": (bytes) => plain(peer.ChannelQueryResponse.deserializeBinary(bytes)),
  "cscc GetConfigBlock": (bytes) => decodedBlock(common.Block.deserializeBinary(bytes)),
  "qscc GetBlockByNumber": (bytes) => decodedBlock(common.Block.deserializeBinary(bytes)),
  "qscc GetChainInfo": (bytes) => {
    const { height, currentblockhash, previousblockhash } = common.BlockchainInfo.deserializeBinary(bytes).toObject();
    const hex = (base64: string | Uint8Array) => Buffer.from(base64 as string, "base64").toString("hex");
    return { height, currentBlockHash: hex(currentblockhash), previousBlockHash: hex(previousblockhash) };
  },
  "qscc GetTransactionByID": (bytes) => {
    const code = peer.ProcessedTransaction.deserializeBinary(bytes).getValidationcode();
    return { code: nameOf(peer.TxValidationCode, code) };
  },
};

/** Results of `_lifecycle` are messages named after its functions. */
function decodedResult(bytes: Uint8Array, name: string): Json {
  const types = peer.lifecycle as unknown as Readonly<
    Record<string, { deserializeBinary(bytes: Uint8Array): { toObject(): object } } | undefined>
  >;
  const type = types[`${name}Result`];
  if (type === undefined) return printable(bytes);
  const { chaincodeInstallPackage, ...result } = plain(type.deserializeBinary(bytes)) as Record<string, Json>;
  return {
    ...readable(result),
    ...(chaincodeInstallPackage !== undefined && { chaincodeInstallPackage: "<package>" }),
  };
}

/** Policies in words, and lists in an order: Fabric's is that of a map. */
function readable(result: Readonly<Record<string, Json>>): Record<string, Json> {
  const changed = Object.entries(result).map(([key, value]): [string, Json] => {
    if (Array.isArray(value)) return [key, sorted(value.map((one) => readable(one as Record<string, Json>)))];
    if (key !== "validationParameter" || value === "") return [key, value];
    return [key, printEndorsementPolicy(Buffer.from(value as string, "base64"))];
  });
  return Object.fromEntries(changed);
}

function errorOf(status: StatusObject | undefined): Json | undefined {
  // We end streams ourselves.
  if (status === undefined || status.code === grpcStatus.OK || status.code === grpcStatus.CANCELLED) return undefined;
  const [encoded] = status.metadata.get("grpc-status-details-bin");
  const details = encoded === undefined ? [] : detailsOf(encoded as Buffer);
  return {
    code: grpcStatus[status.code] ?? status.code,
    message: status.details,
    details: details.length === 0 ? undefined : details,
  };
}

/** By organization: peers answer in any order, and their addresses are others in each run. */
function detailsOf(encoded: Uint8Array): readonly Json[] {
  const list = google.rpc.Status.deserializeBinary(encoded).getDetailsList();
  const details = list.map((any) => gateway.ErrorDetail.deserializeBinary(any.getValue_asU8()));
  const key = (detail: gateway.ErrorDetail): string => `${detail.getMspId()} ${detail.getMessage()}`;
  return details.sort((a, b) => (key(a) < key(b) ? -1 : 1)).map(plain);
}

/** What a request called. */
function calledIn({ method, request }: HeardCall): Called {
  switch (method) {
    case "/protos.Endorser/ProcessProposal":
      return proposedIn(request as peer.SignedProposal);
    case "/gateway.Gateway/Evaluate":
    case "/gateway.Gateway/Endorse":
      return proposedIn((request as gateway.EvaluateRequest | gateway.EndorseRequest).getProposedTransaction());
    case "/gateway.Gateway/Submit":
      return { transaction: (request as gateway.SubmitRequest).getTransactionId() };
    case "/gateway.Gateway/CommitStatus": {
      const asked = (request as gateway.SignedCommitStatusRequest).getRequest_asU8();
      return { transaction: gateway.CommitStatusRequest.deserializeBinary(asked).getTransactionId() };
    }
    default:
      return {};
  }
}

function proposedIn(signed: peer.SignedProposal | undefined): Called {
  const proposal = peer.Proposal.deserializeBinary(signed?.getProposalBytes_asU8() ?? new Uint8Array());
  const header = common.Header.deserializeBinary(proposal.getHeader_asU8());
  const payload = peer.ChaincodeProposalPayload.deserializeBinary(proposal.getPayload_asU8());
  const invocation = peer.ChaincodeInvocationSpec.deserializeBinary(payload.getInput_asU8());
  const spec = invocation.getChaincodeSpec();
  const [name] = spec?.getInput()?.getArgsList_asU8() ?? [];
  return {
    chaincode: spec?.getChaincodeId()?.getName() ?? "",
    function: Buffer.from(name ?? []).toString(),
    transaction: common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8()).getTxId(),
  };
}
