import type { ServerDuplexStream } from "@grpc/grpc-js";
import { common, orderer } from "@hyperledger/fabric-protos";
import { openEnvelope } from "../channel/envelope.ts";
import { messageOf, type Log } from "../log.ts";
import { serveDeliver } from "../transport/deliver.ts";
import type { Service } from "../transport/grpc-server.ts";
import { RejectedMessage } from "./message-filter.ts";
import type { Registrar } from "./registrar.ts";

/** Broadcast and Deliver, as clients and peers call them. */
export function newAtomicBroadcastService(registrar: Registrar, log: Log): Service {
  return {
    definition: orderer.AtomicBroadcastService,
    implementation: {
      broadcast: (stream: ServerDuplexStream<common.Envelope, orderer.BroadcastResponse>) =>
        void serveBroadcast(stream, registrar, log),
      deliver: (stream: ServerDuplexStream<common.Envelope, orderer.DeliverResponse>) =>
        void serveDeliver(stream, (channelId) => registrar.consenterChannel(channelId), replies, log),
    },
  };
}

const replies = {
  status: (status: number): orderer.DeliverResponse => {
    const response = new orderer.DeliverResponse();
    response.setStatus(status as common.StatusMap[keyof common.StatusMap]);
    return response;
  },
  block: (block: common.Block): orderer.DeliverResponse => {
    const response = new orderer.DeliverResponse();
    response.setBlock(block);
    return response;
  },
};

/** One answer for each message; an answer other than SUCCESS ends the stream (orderer/common/broadcast/broadcast.go). */
async function serveBroadcast(
  stream: ServerDuplexStream<common.Envelope, orderer.BroadcastResponse>,
  registrar: Registrar,
  log: Log,
): Promise<void> {
  try {
    // Leaving the loop must not destroy the stream: an answer may still be on its way.
    for await (const envelope of stream.iterator({ destroyOnReturn: false })) {
      const response = await process(envelope as common.Envelope, registrar, log);
      stream.write(response);
      if (response.getStatus() !== common.Status.SUCCESS) {
        break;
      }
    }
  } catch (error) {
    log(`Error reading from broadcast stream: ${messageOf(error)}`);
  }
  stream.end();
}

async function process(envelope: common.Envelope, registrar: Registrar, log: Log): Promise<orderer.BroadcastResponse> {
  const response = new orderer.BroadcastResponse();
  try {
    await order(envelope, registrar);
    response.setStatus(common.Status.SUCCESS);
  } catch (error) {
    const status = error instanceof RejectedMessage ? error.status : "BAD_REQUEST";
    log(`Rejecting broadcast with ${status}: ${messageOf(error)}`);
    response.setStatus(common.Status[status]);
    response.setInfo(messageOf(error));
  }
  return response;
}

async function order(envelope: common.Envelope, registrar: Registrar): Promise<void> {
  const channelHeader = headerOf(envelope);
  const channel = registrar.consenterChannel(channelHeader.getChannelId());
  if (channel === undefined) {
    throw new RejectedMessage("BAD_REQUEST", "channel does not exist");
  }
  switch (channelHeader.getType()) {
    case common.HeaderType.CONFIG:
      throw new RejectedMessage("BAD_REQUEST", "message is of type that cannot be processed directly");
    case common.HeaderType.ORDERER_TRANSACTION:
      throw new RejectedMessage("BAD_REQUEST", "message is of type that is no longer supported");
    case common.HeaderType.CONFIG_UPDATE:
      return channel.submit(envelope, true);
    default:
      return channel.submit(envelope, false);
  }
}

function headerOf(envelope: common.Envelope): common.ChannelHeader {
  try {
    return openEnvelope(envelope).channelHeader;
  } catch (error) {
    throw new RejectedMessage("BAD_REQUEST", `could not determine channel ID: ${messageOf(error)}`, { cause: error });
  }
}
