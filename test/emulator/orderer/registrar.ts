import { existsSync, mkdirSync, readdirSync } from "node:fs";
import type { common } from "@hyperledger/fabric-protos";
import { messageOf } from "../log.ts";
import { OrdererChannel, type ChannelInfo, type OrdererNode } from "./channel.ts";

/** Errors that channel participation tells apart (orderer/common/types/errors.go). */
export class ChannelExists extends Error {
  constructor() {
    super("channel already exists");
  }
}

export class ChannelNotExist extends Error {
  constructor() {
    super("channel does not exist");
  }
}

/** The channels of one orderer (orderer/common/multichannel/registrar.go). */
export class Registrar {
  readonly #node: OrdererNode;
  readonly #channels = new Map<string, OrdererChannel>();

  constructor(node: OrdererNode) {
    this.#node = node;
    mkdirSync(node.ledgerDirectory, { recursive: true });
    for (const channelId of readdirSync(node.ledgerDirectory)) {
      this.#open(channelId);
    }
  }

  channel(channelId: string): OrdererChannel | undefined {
    return this.#channels.get(channelId);
  }

  /** The channel when this orderer is one of its consenters: only such channels take messages and hand out blocks. */
  consenterChannel(channelId: string): OrdererChannel | undefined {
    const channel = this.#channels.get(channelId);
    return channel?.isConsenter ? channel : undefined;
  }

  names(): readonly string[] {
    return [...this.#channels.keys()];
  }

  info(channelId: string): Omit<ChannelInfo, "url"> {
    return this.#existing(channelId).info();
  }

  join(channelId: string, configBlock: common.Block): Omit<ChannelInfo, "url"> {
    if (this.#channels.has(channelId)) {
      throw new ChannelExists();
    }
    const channel = new OrdererChannel(channelId, this.#node, configBlock);
    this.#channels.set(channelId, channel);
    this.#node.log(`Joining channel: ${JSON.stringify(channel.info())}`);
    return channel.info();
  }

  remove(channelId: string): void {
    this.#existing(channelId).remove();
    this.#channels.delete(channelId);
  }

  close(): void {
    this.#channels.forEach((channel) => channel.close());
  }

  #open(channelId: string): void {
    if (!existsSync(`${this.#node.ledgerDirectory}/${channelId}/blocks`)) {
      return;
    }
    try {
      this.#channels.set(channelId, new OrdererChannel(channelId, this.#node));
    } catch (error) {
      this.#node.log(`channel ${channelId} cannot be opened: ${messageOf(error)}`);
    }
  }

  #existing(channelId: string): OrdererChannel {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) {
      throw new ChannelNotExist();
    }
    return channel;
  }
}
