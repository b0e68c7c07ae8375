import type { ServerDuplexStream } from "@grpc/grpc-js";
import { common, orderer } from "@hyperledger/fabric-protos";
import { isConfigBlock } from "../channel/block.ts";
import { openEnvelope, signedDataOf, type OpenEnvelope } from "../channel/envelope.ts";
import type { BlockStore } from "../ledger/block-store.ts";
import { messageOf, type Log } from "../log.ts";
import { hasExpired } from "../msp/certificate.ts";
import { certificateOf } from "../msp/msp.ts";
import type { SignedData } from "../policy/policy.ts";

/** A channel whose blocks are handed out. */
export interface DeliverChain {
  readonly blocks: BlockStore;
  /** False while an orderer's consenters have no leader (orderer/consensus/etcdraft/chain.go, Errored); a peer is always ready. */
  ready?(): boolean;
  /** Of the configuration; the reader's rights are looked at again when it changes. */
  sequence(): number;
  /** Throws when the reader may not read. */
  checkReader(reader: SignedData): void;
}

export interface DeliverReplies<Response> {
  status(status: number): Response;
  block(block: common.Block): Response;
}

type Status = number;
const { Status } = common;
const timeWindowMilliseconds = 15 * 60_000;

/** Serves one deliver stream: for each seek, blocks and then a status; a status other than SUCCESS ends it (common/deliver/deliver.go). */
export async function serveDeliver<Response>(
  stream: ServerDuplexStream<common.Envelope, Response>,
  chainOf: (channelId: string) => DeliverChain | undefined,
  replies: DeliverReplies<Response>,
  log: Log,
): Promise<void> {
  const ended = new AbortController();
  stream.once("cancelled", () => ended.abort(new Error("context canceled")));
  stream.once("error", () => ended.abort(new Error("context canceled")));
  try {
    // Leaving the loop must not destroy the stream: an answer may still be on its way.
    for await (const envelope of stream.iterator({ destroyOnReturn: false })) {
      const send = (block: common.Block): Promise<void> => write(stream, replies.block(block), ended.signal);
      const status = await seek(envelope as common.Envelope, chainOf, send, ended.signal, log);
      await write(stream, replies.status(status), ended.signal);
      if (status !== Status.SUCCESS) {
        break;
      }
    }
  } catch (error) {
    log(`deliver stream ended: ${messageOf(error)}`);
  }
  stream.end();
}

async function seek(
  envelope: common.Envelope,
  chainOf: (channelId: string) => DeliverChain | undefined,
  send: (block: common.Block) => Promise<void>,
  signal: AbortSignal,
  log: Log,
): Promise<Status> {
  const open = opened(envelope);
  if (open === undefined) {
    return Status.BAD_REQUEST;
  }
  const channelId = open.channelHeader.getChannelId();
  const chain = chainOf(channelId);
  if (chain === undefined) {
    return Status.NOT_FOUND;
  }
  const info = orderer.SeekInfo.deserializeBinary(open.payload.getData_asU8());
  const strict = info.getErrorResponse() === orderer.SeekInfo.SeekErrorResponse.STRICT;
  if (strict && chain.ready?.() === false) {
    return Status.SERVICE_UNAVAILABLE;
  }
  const access = newSession(chain, signedDataOf(open));
  try {
    access();
  } catch (error) {
    log(`[channel: ${channelId}] Client is not authorized: ${messageOf(error)}`);
    return Status.FORBIDDEN;
  }
  const range = rangeOf(info, chain.blocks.height);
  return typeof range === "number" ? range : sendRange(chain, info, range, access, send, signal);
}

async function sendRange(
  chain: DeliverChain,
  info: orderer.SeekInfo,
  range: BlockRange,
  access: () => void,
  send: (block: common.Block) => Promise<void>,
  signal: AbortSignal,
): Promise<Status> {
  const headersOnly = info.getContentType() === orderer.SeekInfo.SeekContentType.HEADER_WITH_SIG;
  for (let number = range.start; number <= range.stop; number++) {
    const failFast = info.getBehavior() === orderer.SeekInfo.SeekBehavior.FAIL_IF_NOT_READY;
    if (failFast && number >= chain.blocks.height) {
      return Status.NOT_FOUND;
    }
    await chain.blocks.waitFor(number, signal);
    try {
      access();
    } catch {
      return Status.FORBIDDEN;
    }
    const block = chain.blocks.block(number);
    if (headersOnly && !isConfigBlock(block)) {
      block.clearData();
    }
    await send(block);
  }
  return Status.SUCCESS;
}

interface BlockRange {
  readonly start: number;
  readonly stop: number;
}

function rangeOf(info: orderer.SeekInfo, height: number): BlockRange | Status {
  const from = info.getStart();
  const to = info.getStop();
  if (from === undefined || to === undefined) {
    return Status.BAD_REQUEST;
  }
  const start = positionOf(from, height);
  // The newest block as both ends means one block, however many come meanwhile.
  const stop = to.hasOldest() ? start : to.hasNewest() && from.hasNewest() ? start : positionOf(to, height);
  if (from.hasSpecified() && start > height) {
    return Status.NOT_FOUND;
  }
  return stop < start ? Status.BAD_REQUEST : { start, stop };
}

function positionOf(position: orderer.SeekPosition, height: number): number {
  if (position.hasSpecified()) {
    // A stop of 2^64-1 means for ever; it comes as a number that is not exact, which does not matter here.
    return position.getSpecified()?.getNumber() ?? 0;
  }
  if (position.hasNextCommit()) {
    return height;
  }
  return position.hasNewest() ? height - 1 : 0;
}

function opened(envelope: common.Envelope): OpenEnvelope | undefined {
  try {
    const open = openEnvelope(envelope);
    const sent = open.channelHeader.getTimestamp()?.toDate();
    return sent !== undefined && Math.abs(Date.now() - sent.getTime()) <= timeWindowMilliseconds ? open : undefined;
  } catch {
    return undefined;
  }
}

/** Throws when the reader's certificate has expired or a changed configuration no longer lets it in (common/deliver/acl.go). */
function newSession(chain: DeliverChain, reader: SignedData): () => void {
  let checkedAt: number | undefined;
  return () => {
    const certificate = certificateOf(reader.identity);
    if (certificate !== undefined && hasExpired(certificate, new Date())) {
      throw new Error("deliver client identity expired");
    }
    if (checkedAt === undefined || chain.sequence() > checkedAt) {
      chain.checkReader(reader);
      checkedAt = chain.sequence();
    }
  };
}

async function write<Response>(
  stream: ServerDuplexStream<common.Envelope, Response>,
  response: Response,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (!stream.write(response)) {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        stream.off("drain", done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      stream.once("drain", done);
      signal.addEventListener("abort", done, { once: true });
    });
  }
}
