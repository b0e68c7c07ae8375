import { createHash } from "node:crypto";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { common, orderer, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { lastConfigIndex } from "./block.ts";
import { certificateBytes } from "../identity/certificate.ts";
import { grpcError, isServiceError } from "./grpc-error.ts";
import { channelHeader, newNonce, payload, signatureHeader } from "./header.ts";
import { deadlineOf, type NodeClient } from "./node-client.ts";

/** Which block of a channel. */
export type BlockPosition = "newest" | "oldest" | number;

/** The kinds of node that deliver blocks: same messages, different service. */
export type DeliverSource = "orderer" | "peer";

interface FetchOptions {
  /** Waits for a block that is not there yet, instead of failing with `not-found`. */
  readonly wait?: boolean | undefined;
}

/**
 * One block from a node. Needs an identity that may read the channel. Throws `not-found` when the node is not on the channel
 * or has no such block, `rejected` when the identity may not read it, `not-ready` while an orderer has no leader.
 */
export async function fetchBlock(
  client: NodeClient,
  source: DeliverSource,
  channel: string,
  position: BlockPosition,
  options: FetchOptions = {},
): Promise<common.Block> {
  const { connection, signal } = client;
  const what = `fetching block ${position} of ${channel} from ${connection.name}`;
  const seek = await seekEnvelope(client, channel, seekInfo(position, options));
  const stream = openDeliver(client, source);
  const abort = () => stream.cancel();
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    stream.write(seek);
    for await (const response of stream as AsyncIterable<DeliverResponse>) {
      const block = response.getBlock();
      if (block) return block;
      throw deliverError(what, response.getStatus(), channel);
    }
  } catch (error) {
    throw isServiceError(error) ? grpcError(what, error, connection.endpoint) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
    stream.cancel();
  }
  throw new FabricError("connection", `${what}: the stream ended without a block`);
}

/** The current configuration block: the one that the newest block names. */
export async function fetchConfigBlock(
  client: NodeClient,
  source: DeliverSource,
  channel: string,
): Promise<common.Block> {
  const newest = await fetchBlock(client, source, channel, "newest");
  const index = lastConfigIndex(newest);
  if (index === newest.getHeader()?.getNumber()) return newest;
  return fetchBlock(client, source, channel, index);
}

/** What the orderer's and the peer's responses have in common. */
interface DeliverResponse {
  getBlock(): common.Block | undefined;
  getStatus(): number;
}

type DeliverStream = ClientDuplexStream<common.Envelope, DeliverResponse>;

function openDeliver(client: NodeClient, source: DeliverSource): DeliverStream {
  const { connection } = client;
  const stream =
    source === "orderer"
      ? connection.stub(orderer.AtomicBroadcastClient).deliver(deadlineOf(client))
      : connection.stub(peer.DeliverClient).deliver(deadlineOf(client));
  return stream as DeliverStream;
}

async function seekEnvelope(
  { connection: { endpoint }, identity }: NodeClient,
  channel: string,
  seek: orderer.SeekInfo,
): Promise<common.Envelope> {
  const header = channelHeader({
    type: common.HeaderType.DELIVER_SEEK_INFO,
    channel,
    now: new Date(), // a node refuses a seek older or newer than 15 minutes (deliver.go, TimeWindow)
    ...(endpoint.client && {
      tlsCertificateHash: createHash("sha256").update(certificateBytes(endpoint.client.certificate)).digest(),
    }),
  });
  const bytes = payload(
    header,
    signatureHeader(identity.creator, newNonce()),
    seek.serializeBinary(),
  ).serializeBinary();
  const envelope = new common.Envelope();
  envelope.setPayload(bytes);
  envelope.setSignature(await identity.sign(bytes));
  return envelope;
}

function seekInfo(position: BlockPosition, { wait = false }: FetchOptions): orderer.SeekInfo {
  const seek = new orderer.SeekInfo();
  seek.setStart(seekPosition(position));
  seek.setStop(seekPosition(position));
  const { BLOCK_UNTIL_READY, FAIL_IF_NOT_READY } = orderer.SeekInfo.SeekBehavior;
  seek.setBehavior(wait ? BLOCK_UNTIL_READY : FAIL_IF_NOT_READY);
  return seek;
}

function seekPosition(position: BlockPosition): orderer.SeekPosition {
  const seek = new orderer.SeekPosition();
  if (position === "newest") seek.setNewest(new orderer.SeekNewest());
  else if (position === "oldest") seek.setOldest(new orderer.SeekOldest());
  else {
    const specified = new orderer.SeekSpecified();
    specified.setNumber(position);
    seek.setSpecified(specified);
  }
  return seek;
}

/** common/deliver/deliver.go, Handle. */
function deliverError(what: string, status: number, channel: string): FabricError {
  switch (status) {
    case common.Status.NOT_FOUND:
      return new FabricError("not-found", `${what}: no such channel or block (NOT_FOUND)`, {
        hint: `has the node joined ${channel}?`,
      });
    case common.Status.FORBIDDEN:
      return new FabricError("rejected", `${what}: the identity may not read the channel (FORBIDDEN)`, {
        hint: "a member of one of the channel's organizations may, with a certificate that has not expired",
      });
    case common.Status.SERVICE_UNAVAILABLE:
      return new FabricError("not-ready", `${what}: the orderers have no leader (SERVICE_UNAVAILABLE)`, {
        hint: "more than half of the channel's consenters must run and reach each other",
      });
    default:
      return new FabricError("rejected", `${what}: ${statusName(status)}`);
  }
}

/** A Fabric status by its name in common.proto. */
export function statusName(status: number): string {
  const entry = Object.entries(common.Status).find(([, value]) => value === status);
  return entry ? `${entry[0]} (${status})` : `status ${status}`;
}
