import { deserialize, serialize } from "node:v8";
import { Client, status, type handleUnaryCall, type ServiceDefinition } from "@grpc/grpc-js";
import { tlsRootsOf } from "../channel/channel-config.ts";
import { deserializePrivate } from "../ledger/ledger.ts";
import type { TxPvtReadWriteSet } from "../ledger/simulator.ts";
import { messageOf, type Log } from "../log.ts";
import { MspManager, type Msp } from "../msp/msp.ts";
import type { Signer } from "../msp/signer.ts";
import type { Service } from "../transport/grpc-server.ts";
import { dial } from "../transport/tls.ts";
import { ledger } from "@hyperledger/fabric-protos";
import type { PeerChannels } from "./peer-channels.ts";

/** What a peer says of itself on one channel. */
interface ChannelState {
  readonly height: number;
  /** Names of the chaincodes it can endorse for. */
  readonly chaincodes: readonly string[];
}

export interface Member {
  /** host:port at which the one who is told can reach it. */
  readonly endpoint: string;
  readonly mspId: string;
  /** Serialized. */
  readonly identity: Uint8Array;
  readonly channels: Readonly<Record<string, ChannelState>>;
}

interface ExchangeMessage {
  readonly mspId: string;
  readonly members: readonly Member[];
}

interface PrivateRequest {
  readonly channelId: string;
  readonly transactionId: string;
  readonly identity: Uint8Array;
  readonly signature: Uint8Array;
}

export interface MembershipOptions {
  readonly localMsp: Msp;
  readonly signer: Signer;
  readonly channels: PeerChannels;
  /** As peers of the own organization reach this peer. */
  readonly endpoint: string;
  /** As other organizations' peers do; empty when it is not to be known to them (CORE_PEER_GOSSIP_EXTERNALENDPOINT). */
  readonly externalEndpoint: string;
  /** Peers of the own organization to begin with (CORE_PEER_GOSSIP_BOOTSTRAP). */
  readonly bootstrap: readonly string[];
  /** PEM; for peers of the own organization. Empty without TLS. */
  readonly ownTlsRoots: readonly (string | Buffer)[];
  readonly chaincodesOf: (channelId: string) => readonly string[];
  readonly log: Log;
}

interface Target {
  readonly endpoint: string;
  readonly mspId: string;
}

const intervalMilliseconds = 500;
const forgetMilliseconds = 5000;
const timeoutMilliseconds = 2000;

const v8 = {
  requestStream: false,
  responseStream: false,
  requestSerialize: (value: unknown) => serialize(value),
  requestDeserialize: (bytes: Buffer) => deserialize(bytes) as unknown,
  responseSerialize: (value: unknown) => serialize(value),
  responseDeserialize: (bytes: Buffer) => deserialize(bytes) as unknown,
} as const;

// Between emulators only: in place of gossip, whose messages no client sees.
const definition: ServiceDefinition = {
  exchange: { path: "/emulator.Membership/Exchange", ...v8 },
  privateData: { path: "/emulator.Membership/PrivateData", ...v8 },
};

/** Knows the other peers of the channels: finds them through anchor peers and bootstrap peers and asks them every half second. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #known = new Map<string, { readonly member: Member; readonly seen: number }>();
  readonly #clients = new Map<string, Client>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.refresh(), intervalMilliseconds);
    void this.refresh();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#clients.forEach((client) => client.close());
  }

  /** This peer first, then the others known on the channel. */
  membersOf(channelId: string): readonly Member[] {
    const others = [...this.#known.values()]
      .filter(({ seen }) => Date.now() - seen < forgetMilliseconds)
      .map(({ member }) => member)
      .filter((member) => member.channels[channelId] !== undefined);
    return [this.#self(this.#options.endpoint), ...others];
  }

  /** PEM of the roots by which a member's server is verified. */
  tlsRootsOf(mspId: string): readonly (string | Buffer)[] {
    const { ownTlsRoots, signer, channels } = this.#options;
    if (ownTlsRoots.length === 0 || mspId === signer.mspId) {
      return ownTlsRoots;
    }
    return channels.all().flatMap(({ config }) => {
      const membership = config.msps.get(mspId);
      return membership === undefined ? [] : tlsRootsOf(membership);
    });
  }

  /** Asks everybody once. */
  async refresh(): Promise<void> {
    await Promise.all(this.#targets().map((target) => this.#exchangeWith(target)));
  }

  /** What other members hold of a transaction's private writes. */
  async fetchPrivate(channelId: string, transactionId: string): Promise<readonly TxPvtReadWriteSet[]> {
    const { signer } = this.#options;
    const request: PrivateRequest = {
      channelId,
      transactionId,
      identity: signer.identity,
      signature: signer.sign(Buffer.from(`${channelId} ${transactionId}`)),
    };
    const [, ...others] = this.membersOf(channelId);
    const answers = await Promise.all(
      others.map((member) =>
        this.#call<Uint8Array>(member, "/emulator.Membership/PrivateData", request).catch(() => new Uint8Array()),
      ),
    );
    return answers.filter((answer) => answer.length > 0).map(deserializePrivate);
  }

  service(): Service {
    const exchange: handleUnaryCall<ExchangeMessage, ExchangeMessage> = (call, reply) => {
      this.#learn(call.request.members, call.request.mspId);
      reply(null, this.#message(call.request.mspId));
    };
    const privateData: handleUnaryCall<PrivateRequest, Uint8Array> = (call, reply) => {
      try {
        reply(null, this.#privateFor(call.request));
      } catch (error) {
        reply({ code: status.PERMISSION_DENIED, details: messageOf(error) });
      }
    };
    return { definition, implementation: { exchange, privateData } };
  }

  #privateFor({ channelId, transactionId, identity, signature }: PrivateRequest): Uint8Array {
    const channel = this.#options.channels.get(channelId);
    const set = channel?.ledger.privateWrites(transactionId);
    if (channel === undefined || set === undefined) {
      return new Uint8Array();
    }
    const asking = channel.config.msps.deserialize(identity);
    channel.config.msps.validate(asking);
    channel.config.msps.verify(asking, Buffer.from(`${channelId} ${transactionId}`), signature);
    // Its own hashes: what is left out here is what the asking peer may not have.
    const all = new ledger.rwset.TxPvtReadWriteSet();
    set.getNsPvtRwsetList().forEach((part) => {
      const kept = part.clone();
      kept.setCollectionPvtRwsetList(
        part
          .getCollectionPvtRwsetList()
          .filter((one) => channel.mayHave(asking.mspId, part.getNamespace(), one.getCollectionName())),
      );
      all.addNsPvtRwset(kept);
    });
    return all.serializeBinary();
  }

  #targets(): readonly Target[] {
    const { channels, bootstrap, signer, endpoint, externalEndpoint } = this.#options;
    const anchors = channels
      .all()
      .flatMap(({ config }) =>
        (config.applicationOrganizations ?? []).flatMap(({ mspId, anchorPeers }) =>
          anchorPeers.map(({ host, port }) => ({ endpoint: `${host}:${port}`, mspId })),
        ),
      );
    const own = bootstrap.map((address) => ({ endpoint: address, mspId: signer.mspId }));
    const known = [...this.#known.values()].map(({ member }) => member);
    const targets = new Map([...anchors, ...own, ...known].map((target) => [target.endpoint, target]));
    [endpoint, externalEndpoint].forEach((self) => targets.delete(self));
    return [...targets.values()];
  }

  async #exchangeWith(target: Target): Promise<void> {
    try {
      const answer = await this.#call<ExchangeMessage>(
        target,
        "/emulator.Membership/Exchange",
        this.#message(target.mspId),
      );
      this.#learn(answer.members, answer.mspId);
    } catch {
      // It is not there now; the next round asks again.
    }
  }

  /** What this peer tells an organization: another one learns of it only when it has an external endpoint. */
  #message(toMspId: string): ExchangeMessage {
    const { signer, endpoint, externalEndpoint } = this.#options;
    const own = toMspId === signer.mspId ? endpoint : externalEndpoint;
    const others = [...this.#known.values()]
      .filter(({ seen }) => Date.now() - seen < forgetMilliseconds)
      .map(({ member }) => member)
      .filter((member) => member.mspId !== signer.mspId || toMspId === signer.mspId);
    return { mspId: signer.mspId, members: [...(own === "" ? [] : [this.#self(own)]), ...others] };
  }

  /** Only what a member says of itself is fresh; the rest is where to ask. */
  #learn(members: readonly Member[], fromMspId: string): void {
    const [first, ...others] = members;
    if (first !== undefined && first.mspId === fromMspId) {
      this.#remember(first, Date.now());
    }
    others.filter((member) => !this.#known.has(member.endpoint)).forEach((member) => this.#remember(member, 0));
  }

  #remember(member: Member, seen: number): void {
    const { endpoint, externalEndpoint, localMsp, channels } = this.#options;
    if (member.endpoint === endpoint || member.endpoint === externalEndpoint) {
      return;
    }
    const managers = [new MspManager([localMsp]), ...channels.all().map(({ config }) => config.msps)];
    const valid = managers.some((manager) => {
      try {
        manager.validate(manager.deserialize(member.identity));
        return true;
      } catch {
        return false;
      }
    });
    if (valid) {
      this.#known.set(member.endpoint, { member, seen });
    }
  }

  #self(endpoint: string): Member {
    const { signer, channels, chaincodesOf } = this.#options;
    const states = channels
      .all()
      .map(
        ({ channelId, ledger: { blocks } }) =>
          [channelId, { height: blocks.height, chaincodes: chaincodesOf(channelId) }] as const,
      );
    return { endpoint, mspId: signer.mspId, identity: signer.identity, channels: Object.fromEntries(states) };
  }

  #call<Answer>(target: Target, path: string, request: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#client(target).makeUnaryRequest(
        path,
        v8.requestSerialize,
        v8.responseDeserialize,
        request,
        { deadline: Date.now() + timeoutMilliseconds },
        (error, answer) => (error === null ? resolve(answer as Answer) : reject(error)),
      );
    });
  }

  #client({ endpoint, mspId }: Target): Client {
    const roots = this.tlsRootsOf(mspId);
    const key = `${endpoint} ${roots.join("")}`;
    const existing = this.#clients.get(key);
    const { credentials, options } = dial(endpoint, roots);
    const client = existing ?? new Client(endpoint, credentials, options);
    this.#clients.set(key, client);
    return client;
  }
}
