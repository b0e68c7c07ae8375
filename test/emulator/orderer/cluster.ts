import { createPrivateKey, sign, verify, X509Certificate } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import {
  Client,
  status,
  type handleUnaryCall,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import type { Consenter } from "../channel/channel-config.ts";
import { messageOf } from "../log.ts";
import type { Service } from "../transport/grpc-server.ts";
import { dial } from "../transport/tls.ts";
import type { RaftReply, RaftRequest } from "./raft.ts";

/** A message for the leader to order. */
interface SubmitRequest {
  readonly kind: "submit";
  readonly envelope: Uint8Array;
  readonly isConfig: boolean;
}

export interface SubmitReply {
  /** A value of common.Status. */
  readonly status: number;
  readonly info: string;
}

export type ClusterRequest = RaftRequest | SubmitRequest;
export type ClusterReply = RaftReply | SubmitReply;

interface SignedRequest {
  readonly channelId: string;
  /** Address of the consenter that asks. */
  readonly from: string;
  readonly request: Uint8Array;
  readonly signature: Uint8Array;
}

/** What a channel does with the requests of its other consenters. */
export interface ClusterChannel {
  consenters(): readonly Consenter[];
  handle(request: ClusterRequest): Promise<ClusterReply>;
}

/** The certificate by which the channel configuration knows this orderer, and its key. */
export interface ClusterIdentity {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** The certificate this orderer's server presents. */
  readonly serverCertificate: Buffer;
  /** PEM, in addition to those of the channel's organizations. */
  readonly roots: readonly Buffer[];
}

const timeoutMilliseconds = 3000;

// Between emulators only: Fabric's orderer.Cluster service carries etcd's messages, which no client sees.
const method = {
  path: "/emulator.Cluster/Exchange",
  requestStream: false,
  responseStream: false,
  requestSerialize: (message: SignedRequest) => serialize(message),
  requestDeserialize: (bytes: Buffer) => deserialize(bytes) as SignedRequest,
  responseSerialize: (reply: ClusterReply) => serialize(reply),
  responseDeserialize: (bytes: Buffer) => deserialize(bytes) as ClusterReply,
} as const;

const definition: ServiceDefinition = { exchange: method };

/** The service by which consenters of a channel talk; a caller must sign with the TLS key the channel configuration knows it by. */
export function newClusterService(channelOf: (channelId: string) => ClusterChannel | undefined): Service {
  const exchange: handleUnaryCall<SignedRequest, ClusterReply> = (
    call: ServerUnaryCall<SignedRequest, ClusterReply>,
    reply: sendUnaryData<ClusterReply>,
  ) => {
    const { channelId, from, request, signature } = call.request;
    const channel = channelOf(channelId);
    const sender = channel?.consenters().find(({ address }) => address === from);
    if (channel === undefined || sender === undefined) {
      reply({ code: status.NOT_FOUND, details: `channel ${channelId} doesn't exist` });
      return;
    }
    const key = new X509Certificate(sender.clientTlsCertificate).publicKey;
    if (!verify("sha256", request, key, signature)) {
      reply({ code: status.PERMISSION_DENIED, details: "certificate extracted from TLS connection isn't authorized" });
      return;
    }
    channel.handle(deserialize(request) as ClusterRequest).then(
      (answer) => reply(null, answer),
      (error: unknown) => reply({ code: status.INTERNAL, details: messageOf(error) }),
    );
  };
  return { definition, implementation: { exchange } };
}

/** Calls to the other consenters, over connections that are kept. */
export class ClusterClient {
  readonly #identity: ClusterIdentity;
  readonly #clients = new Map<string, Client>();

  constructor(identity: ClusterIdentity) {
    this.#identity = identity;
  }

  ask(
    channelId: string,
    from: string,
    to: string,
    roots: readonly string[],
    request: ClusterRequest,
  ): Promise<ClusterReply> {
    const body = serialize(request);
    const signed: SignedRequest = {
      channelId,
      from,
      request: body,
      signature: sign("sha256", body, createPrivateKey(this.#identity.key)),
    };
    const deadline = Date.now() + timeoutMilliseconds;
    return new Promise((resolve, reject) => {
      this.#client(to, roots).makeUnaryRequest<SignedRequest, ClusterReply>(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        signed,
        { deadline },
        (error, reply) =>
          error === null && reply !== undefined ? resolve(reply) : reject(error ?? new Error("no reply")),
      );
    });
  }

  close(): void {
    this.#clients.forEach((client) => client.close());
    this.#clients.clear();
  }

  #client(address: string, roots: readonly string[]): Client {
    const key = `${address} ${roots.join("")}`;
    const existing = this.#clients.get(key);
    if (existing !== undefined) {
      return existing;
    }
    const { certificate, key: privateKey, roots: more } = this.#identity;
    const { credentials, options } = dial(address, [...roots, ...more], { certificate, key: privateKey });
    const client = new Client(address, credentials, options);
    this.#clients.set(key, client);
    return client;
  }
}

/** Which of the consenters this orderer is: Fabric compares the server certificate's public key (etcdraft/consenter.go detectSelfID). */
export function findSelf(consenters: readonly Consenter[], identity: ClusterIdentity): Consenter | undefined {
  const own = publicKeyOf(identity.serverCertificate);
  return consenters.find(({ serverTlsCertificate }) => publicKeyOf(serverTlsCertificate) === own);
}

function publicKeyOf(certificate: string | Buffer): string | Buffer {
  return new X509Certificate(certificate).publicKey.export({ type: "spki", format: "pem" });
}
