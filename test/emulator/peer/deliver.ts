import type { ServerDuplexStream } from "@grpc/grpc-js";
import { common, peer } from "@hyperledger/fabric-protos";
import { envelopesOf, metadataOf, numberOf } from "../channel/block.ts";
import { openEnvelope } from "../channel/envelope.ts";
import { openTransaction } from "../channel/transaction.ts";
import type { Log } from "../log.ts";
import { serveDeliver, type DeliverChain } from "../transport/deliver.ts";
import type { Service } from "../transport/grpc-server.ts";
import type { OpenStreams } from "./open-streams.ts";
import type { PeerChannels } from "./peer-channels.ts";

type Stream = ServerDuplexStream<common.Envelope, peer.DeliverResponse>;

/** Deliver and DeliverFiltered of a peer (core/peer/deliverevents.go). */
export function newDeliverService(channels: PeerChannels, streams: OpenStreams, log: Log): Service {
  const serve = (stream: Stream, resource: string, block: (block: common.Block) => peer.DeliverResponse): void => {
    streams.track(stream);
    const chainOf = (channelId: string): DeliverChain | undefined => chain(channelId, resource, channels);
    void serveDeliver(stream, chainOf, { status: statusResponse, block }, log);
  };
  return {
    definition: peer.DeliverService,
    implementation: {
      deliver: (stream: Stream) => serve(stream, "event/Block", blockResponse),
      deliverFiltered: (stream: Stream) => serve(stream, "event/FilteredBlock", filteredResponse),
    },
  };
}

function chain(channelId: string, resource: string, channels: PeerChannels): DeliverChain | undefined {
  const channel = channels.get(channelId);
  return (
    channel && {
      blocks: channel.ledger.blocks,
      sequence: () => channel.config.sequence,
      checkReader: (reader) => channel.check(resource, reader),
    }
  );
}

function statusResponse(status: number): peer.DeliverResponse {
  const response = new peer.DeliverResponse();
  response.setStatus(status as common.StatusMap[keyof common.StatusMap]);
  return response;
}

function blockResponse(block: common.Block): peer.DeliverResponse {
  const response = new peer.DeliverResponse();
  response.setBlock(block);
  return response;
}

function filteredResponse(block: common.Block): peer.DeliverResponse {
  const codes = metadataOf(block, common.BlockMetadataIndex.TRANSACTIONS_FILTER);
  const filtered = new peer.FilteredBlock();
  filtered.setNumber(numberOf(block));
  envelopesOf(block).forEach((bytes, index) => {
    const envelope = common.Envelope.deserializeBinary(bytes);
    const { channelHeader } = openEnvelope(envelope);
    filtered.setChannelId(channelHeader.getChannelId());
    const transaction = new peer.FilteredTransaction();
    transaction.setTxid(channelHeader.getTxId());
    transaction.setType(channelHeader.getType() as common.HeaderTypeMap[keyof common.HeaderTypeMap]);
    transaction.setTxValidationCode(codes[index] as peer.TxValidationCodeMap[keyof peer.TxValidationCodeMap]);
    if (channelHeader.getType() === common.HeaderType.ENDORSER_TRANSACTION) {
      transaction.setTransactionActions(filteredActions(envelope));
    }
    filtered.addFilteredTransactions(transaction);
  });
  const response = new peer.DeliverResponse();
  response.setFilteredBlock(filtered);
  return response;
}

/** Events without their payloads. */
function filteredActions(envelope: common.Envelope): peer.FilteredTransactionActions {
  const actions = new peer.FilteredTransactionActions();
  const { event } = openTransaction(envelope);
  if (event !== undefined) {
    const visible = event.clone();
    visible.setPayload("");
    const action = new peer.FilteredChaincodeAction();
    action.setChaincodeEvent(visible);
    actions.addChaincodeActions(action);
  }
  return actions;
}
