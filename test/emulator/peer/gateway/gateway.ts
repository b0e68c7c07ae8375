import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { common, gateway, peer } from "@hyperledger/fabric-protos";
import { envelopesOf, metadataOf, numberOf } from "../../channel/block.ts";
import { openEnvelope } from "../../channel/envelope.ts";
import { openTransaction } from "../../channel/transaction.ts";
import { messageOf } from "../../log.ts";
import type { SignedData } from "../../policy/policy.ts";
import type { Service } from "../../transport/grpc-server.ts";
import type { OpenStreams } from "../open-streams.ts";
import type { PeerChannel } from "../peer-channel.ts";
import type { PeerChannels } from "../peer-channels.ts";
import type { GatewayEndorsement } from "./endorse.ts";
import { code, RpcError } from "./rpc-error.ts";
import { submit } from "./submit.ts";

/** The Gateway service (internal/pkg/gateway). */
export function newGatewayService(
  endorsement: GatewayEndorsement,
  channels: PeerChannels,
  streams: OpenStreams,
): Service {
  return {
    definition: gateway.GatewayService,
    implementation: {
      evaluate: unary((request: gateway.EvaluateRequest) => endorsement.evaluate(request)),
      endorse: unary((request: gateway.EndorseRequest) => endorsement.endorse(request)),
      submit: unary((request: gateway.SubmitRequest) => submit(request, channels)),
      commitStatus: unary((request: gateway.SignedCommitStatusRequest, signal) =>
        commitStatus(request, channels, signal),
      ),
      chaincodeEvents: (
        stream: ServerWritableStream<gateway.SignedChaincodeEventsRequest, gateway.ChaincodeEventsResponse>,
      ) => {
        const signal = streams.track(stream);
        chaincodeEvents(stream, channels, signal).catch((error: unknown) => {
          stream.emit("error", statusOf(error));
        });
      },
    },
  };
}

function unary<Request, Response>(work: (request: Request, signal: AbortSignal) => Promise<Response>) {
  return (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
    const ended = new AbortController();
    call.once("cancelled", () => ended.abort(new RpcError(code.CANCELLED, "context canceled")));
    work(call.request, ended.signal).then(
      (response) => reply(null, response),
      (error: unknown) => reply(statusOf(error)),
    );
  };
}

function statusOf(error: unknown): ReturnType<RpcError["toStatus"]> {
  return (error instanceof RpcError ? error : new RpcError(code.ABORTED, messageOf(error))).toStatus();
}

async function commitStatus(
  signed: gateway.SignedCommitStatusRequest,
  channels: PeerChannels,
  signal: AbortSignal,
): Promise<gateway.CommitStatusResponse> {
  const request = gateway.CommitStatusRequest.deserializeBinary(signed.getRequest_asU8());
  const channel = authorized("gateway/CommitStatus", request.getChannelId(), channels, {
    data: signed.getRequest_asU8(),
    identity: request.getIdentity_asU8(),
    signature: signed.getSignature_asU8(),
  });
  if (request.getTransactionId() === "") {
    throw new RpcError(code.INVALID_ARGUMENT, "transaction ID should not be empty");
  }
  const { ledger } = channel;
  let found = ledger.transaction(request.getTransactionId());
  while (found === undefined) {
    await ledger.blocks.waitFor(ledger.blocks.height, signal);
    found = ledger.transaction(request.getTransactionId());
  }
  const response = new gateway.CommitStatusResponse();
  response.setResult(found.code as peer.TxValidationCodeMap[keyof peer.TxValidationCodeMap]);
  response.setBlockNumber(found.block);
  return response;
}

async function chaincodeEvents(
  stream: ServerWritableStream<gateway.SignedChaincodeEventsRequest, gateway.ChaincodeEventsResponse>,
  channels: PeerChannels,
  signal: AbortSignal,
): Promise<void> {
  const signed = stream.request;
  const request = gateway.ChaincodeEventsRequest.deserializeBinary(signed.getRequest_asU8());
  const channel = authorized("gateway/ChaincodeEvents", request.getChannelId(), channels, {
    data: signed.getRequest_asU8(),
    identity: request.getIdentity_asU8(),
    signature: signed.getSignature_asU8(),
  });
  const after = request.getAfterTransactionId();
  let passed = after === "";
  for (let number = startBlock(request, channel); ; number++) {
    await channel.ledger.blocks.waitFor(number, signal);
    const events = eventsOf(channel.ledger.blocks.block(number)).filter((event) => {
      const wanted = passed && event.getChaincodeId() === request.getChaincodeId();
      passed ||= event.getTxId() === after;
      return wanted;
    });
    if (events.length > 0) {
      const response = new gateway.ChaincodeEventsResponse();
      response.setBlockNumber(number);
      response.setEventsList(events);
      stream.write(response);
    }
  }
}

function startBlock(request: gateway.ChaincodeEventsRequest, channel: PeerChannel): number {
  const after = request.getAfterTransactionId();
  const found = after === "" ? undefined : channel.ledger.transaction(after);
  if (found !== undefined) {
    return found.block;
  }
  const position = request.getStartPosition();
  if (position?.hasSpecified()) {
    return position.getSpecified()?.getNumber() ?? 0;
  }
  if (position !== undefined && !position.hasNextCommit() && (position.hasNewest() || position.hasOldest())) {
    const kind = position.hasNewest() ? "Newest" : "Oldest";
    throw new RpcError(code.INVALID_ARGUMENT, `invalid start position type: *orderer.SeekPosition_${kind}`);
  }
  return channel.ledger.blocks.height;
}

/** The events of a block's valid transactions. */
function eventsOf(block: common.Block): readonly peer.ChaincodeEvent[] {
  const codes = metadataOf(block, common.BlockMetadataIndex.TRANSACTIONS_FILTER);
  if (numberOf(block) === 0) {
    return [];
  }
  return envelopesOf(block).flatMap((bytes, index) => {
    const envelope = common.Envelope.deserializeBinary(bytes);
    if (codes[index] !== peer.TxValidationCode.VALID) {
      return [];
    }
    const type = openEnvelope(envelope).channelHeader.getType();
    const event = type === common.HeaderType.ENDORSER_TRANSACTION ? openTransaction(envelope).event : undefined;
    return event === undefined ? [] : [event];
  });
}

function authorized(resource: string, channelId: string, channels: PeerChannels, signed: SignedData): PeerChannel {
  if (signed.data.length === 0) {
    throw new RpcError(code.INVALID_ARGUMENT, `a ${resource} request is required`);
  }
  const channel = channels.get(channelId);
  try {
    if (channel === undefined) {
      throw new Error(`Failed to get policy manager for channel [${channelId}]`);
    }
    channel.check(resource, signed);
    return channel;
  } catch (error) {
    throw new RpcError(code.PERMISSION_DENIED, messageOf(error));
  }
}
