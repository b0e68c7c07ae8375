import { setTimeout as sleep } from "node:timers/promises";
import { common, orderer } from "@hyperledger/fabric-protos";
import { newSignedEnvelope } from "../channel/envelope.ts";
import { messageOf, type Log } from "../log.ts";
import type { Signer } from "../msp/signer.ts";
import { dial } from "./tls.ts";

interface OrdererEndpoint {
  /** host:port. */
  readonly address: string;
  /** PEM; none means no TLS. */
  readonly tlsRoots: readonly string[];
}

export interface BlockPull {
  readonly channelId: string;
  endpoints(): readonly OrdererEndpoint[];
  /** The next block wanted. */
  next(): number;
  /** Takes the block; throws when it is not acceptable, which ends this source. */
  take(block: common.Block): Promise<void> | void;
  readonly signer: Signer;
  /** Stay with a source and wait there for blocks to come (a peer), or take what there is and ask the next source (an orderer, which may be asking itself). */
  readonly wait: boolean;
  readonly signal: AbortSignal;
  readonly log: Log;
}

const pauseMilliseconds = 500;

/** Asks one orderer after the other for blocks, until the signal says to stop. */
export async function pullBlocks(pull: BlockPull): Promise<void> {
  for (let turn = Math.floor(Math.random() * 100); !pull.signal.aborted; turn++) {
    const endpoints = pull.endpoints();
    const endpoint = endpoints[turn % endpoints.length];
    if (endpoint !== undefined) {
      try {
        await pullFrom(endpoint, pull);
      } catch (error) {
        pull.log(`[${pull.channelId}] Failed pulling blocks from ${endpoint.address}: ${messageOf(error)}`);
      }
    }
    await sleep(pauseMilliseconds, undefined, { signal: pull.signal }).catch(() => undefined);
  }
}

async function pullFrom(endpoint: OrdererEndpoint, pull: BlockPull): Promise<void> {
  const { credentials, options } = dial(endpoint.address, endpoint.tlsRoots);
  const client = new orderer.AtomicBroadcastClient(endpoint.address, credentials, {
    ...options,
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5000,
  });
  const stream = client.deliver();
  const cancel = (): void => stream.cancel();
  pull.signal.addEventListener("abort", cancel, { once: true });
  try {
    stream.write(seekEnvelope(pull));
    for await (const response of stream) {
      const { block, status } = opened(response as orderer.DeliverResponse);
      if (block === undefined) {
        const expected = !pull.wait && status === common.Status.NOT_FOUND;
        if (!expected) {
          pull.log(`[${pull.channelId}] ${endpoint.address} ended the stream with status ${status}`);
        }
        return;
      }
      await pull.take(block);
    }
  } finally {
    pull.signal.removeEventListener("abort", cancel);
    stream.cancel();
    client.close();
  }
}

function opened(response: orderer.DeliverResponse): { readonly block?: common.Block; readonly status?: number } {
  const block = response.getBlock();
  return block === undefined ? { status: response.getStatus() } : { block };
}

function seekEnvelope(pull: BlockPull): common.Envelope {
  const info = new orderer.SeekInfo();
  info.setStart(specified(pull.next()));
  info.setStop(specified(Number.MAX_SAFE_INTEGER));
  // From orderers that are without a leader too: there is nobody else to ask.
  info.setErrorResponse(orderer.SeekInfo.SeekErrorResponse.BEST_EFFORT);
  info.setBehavior(
    pull.wait ? orderer.SeekInfo.SeekBehavior.BLOCK_UNTIL_READY : orderer.SeekInfo.SeekBehavior.FAIL_IF_NOT_READY,
  );
  return newSignedEnvelope(
    common.HeaderType.DELIVER_SEEK_INFO,
    pull.channelId,
    info.serializeBinary(),
    pull.signer,
    new Date(),
  );
}

function specified(number: number): orderer.SeekPosition {
  const specific = new orderer.SeekSpecified();
  specific.setNumber(number);
  const position = new orderer.SeekPosition();
  position.setSpecified(specific);
  return position;
}
