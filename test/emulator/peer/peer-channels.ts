import { EventEmitter } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { common } from "@hyperledger/fabric-protos";
import type { Acl } from "./acl.ts";
import { PeerChannel, type PeerChannelOptions } from "./peer-channel.ts";

/** The channels a peer has joined, on disk and running. Emits `joined` with the channel. */
export class PeerChannels extends EventEmitter {
  readonly acl: Acl;
  readonly #directory: string;
  readonly #options: Omit<PeerChannelOptions, "directory">;
  readonly #channels = new Map<string, PeerChannel>();

  constructor(directory: string, options: Omit<PeerChannelOptions, "directory">) {
    super();
    this.acl = options.acl;
    this.#directory = directory;
    this.#options = options;
    mkdirSync(directory, { recursive: true });
  }

  /** Opens what is on disk; a channel whose joining was cut short is not there. */
  openAll(): void {
    for (const channelId of readdirSync(this.#directory)) {
      if (existsSync(this.#marker(channelId)) && readFileSync(this.#marker(channelId), "utf8") === "ACTIVE") {
        this.#add(new PeerChannel(channelId, this.#optionsOf(channelId)));
      } else {
        rmSync(join(this.#directory, channelId), { recursive: true, force: true });
      }
    }
  }

  all(): readonly PeerChannel[] {
    return [...this.#channels.values()];
  }

  get(channelId: string): PeerChannel | undefined {
    return this.#channels.get(channelId);
  }

  join(channelId: string, genesis: common.Block): void {
    if (this.#channels.has(channelId)) {
      // core/ledger/kvledger/kv_ledger_provider.go
      throw new Error(
        `cannot create ledger from genesis block: ledger [${channelId}] already exists with state [ACTIVE]`,
      );
    }
    const channel = new PeerChannel(channelId, this.#optionsOf(channelId), genesis);
    writeFileSync(this.#marker(channelId), "ACTIVE", { flush: true });
    this.#add(channel);
  }

  close(): void {
    this.#channels.forEach((channel) => channel.close());
  }

  #add(channel: PeerChannel): void {
    this.#channels.set(channel.channelId, channel);
    channel.start();
    this.emit("joined", channel);
  }

  #optionsOf(channelId: string): PeerChannelOptions {
    return { ...this.#options, directory: join(this.#directory, channelId) };
  }

  #marker(channelId: string): string {
    return join(this.#directory, channelId, "state");
  }
}
