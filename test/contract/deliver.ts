import type { ClientDuplexStream } from "@grpc/grpc-js";
import { common, orderer, peer } from "@hyperledger/fabric-protos";
import { credentialsOf, optionsFor } from "../integration/emulator/network/client.ts";
import { signedEnvelope, type SignerOf } from "../integration/emulator/network/config-update.ts";
import { channelId, type Network, type OrdererNode, type PeerNode } from "../integration/emulator/network/network.ts";

type Position = "oldest" | "newest" | number;

export interface Seek {
  readonly start: Position;
  readonly stop?: Position;
  readonly wait?: boolean;
  readonly channel?: string;
}

/** Everything up to the status that ends a request. */
export interface Delivered {
  readonly blocks: readonly common.Block[];
  readonly filtered: readonly peer.FilteredBlock[];
  readonly status: number;
}

type Stream = ClientDuplexStream<common.Envelope, orderer.DeliverResponse | peer.DeliverResponse>;

export function deliverFromOrderer(
  network: Network,
  node: OrdererNode,
  signer: SignerOf,
  seek: Seek,
): Promise<Delivered> {
  const address = `127.0.0.1:${node.port}`;
  const credentials = credentialsOf(network.ordererOrganization);
  const client = new orderer.AtomicBroadcastClient(address, credentials, optionsFor(address));
  return collect(client.deliver() as Stream, signer, seek).finally(() => client.close());
}

export function deliverFromPeer(
  node: PeerNode,
  signer: SignerOf,
  seek: Seek,
  service: "deliver" | "deliverFiltered" = "deliver",
): Promise<Delivered> {
  const client = new peer.DeliverClient(node.address, credentialsOf(node.organization), optionsFor(node.address));
  return collect(client[service]() as Stream, signer, seek).finally(() => client.close());
}

async function collect(stream: Stream, signer: SignerOf, seek: Seek): Promise<Delivered> {
  const blocks: common.Block[] = [];
  const filtered: peer.FilteredBlock[] = [];
  // A server may end the call before it hears that we did.
  stream.on("error", () => undefined);
  const { DELIVER_SEEK_INFO } = common.HeaderType;
  stream.write(await signedEnvelope(DELIVER_SEEK_INFO, seekInfo(seek).serializeBinary(), signer, seek.channel));
  try {
    for await (const response of stream as AsyncIterable<orderer.DeliverResponse | peer.DeliverResponse>) {
      const block = response.getBlock();
      const part = response instanceof peer.DeliverResponse ? response.getFilteredBlock() : undefined;
      if (block === undefined && part === undefined) {
        return { blocks, filtered, status: response.getStatus() };
      }
      blocks.push(...(block === undefined ? [] : [block]));
      filtered.push(...(part === undefined ? [] : [part]));
    }
  } finally {
    stream.cancel();
  }
  throw new Error(`expected a status of ${seek.channel ?? channelId}, found the stream ended`);
}

function seekInfo({ start, stop = start, wait = false }: Seek): orderer.SeekInfo {
  const info = new orderer.SeekInfo();
  info.setStart(seekPosition(start));
  info.setStop(seekPosition(stop));
  const { BLOCK_UNTIL_READY, FAIL_IF_NOT_READY } = orderer.SeekInfo.SeekBehavior;
  info.setBehavior(wait ? BLOCK_UNTIL_READY : FAIL_IF_NOT_READY);
  return info;
}

function seekPosition(position: Position): orderer.SeekPosition {
  const seek = new orderer.SeekPosition();
  if (position === "oldest") {
    seek.setOldest(new orderer.SeekOldest());
  } else if (position === "newest") {
    seek.setNewest(new orderer.SeekNewest());
  } else {
    const specified = new orderer.SeekSpecified();
    specified.setNumber(position);
    seek.setSpecified(specified);
  }
  return seek;
}

export const numbersOf = ({ blocks }: Delivered): readonly (number | undefined)[] =>
  blocks.map((block) => block.getHeader()?.getNumber());
