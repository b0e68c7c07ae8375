import { credentials, type ChannelCredentials, type ChannelOptions } from "@grpc/grpc-js";
import { FabricError, messageOf } from "../../error.ts";
import type { Credential } from "../identity/certificate-authority.ts";

/**
 * A port of a node, and by what to verify the node. The address may be a forwarded one on loopback: TLS checks the
 * node's certificate against `serverName` and the authorities, not against the address.
 */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** The name (or IP address) in the node's TLS certificate. */
  readonly serverName: string;
  /** The authorities of the node's organization: PEM, one or more. */
  readonly tlsRootCertificates: string;
  /** Our client certificate, for a node that asks for one (mutual TLS). */
  readonly client?: Credential | undefined;
  /** Why a forwarded port has failed, if it closed its last connection because of a failure: the client sees only a reset. */
  readonly lastFailure?: (() => FabricError | undefined) | undefined;
}

/** For people: the server name too, when it differs from the host. */
export function endpointName({ host, port, serverName }: Endpoint): string {
  return serverName === host ? `${host}:${port}` : `${serverName} (at ${host}:${port})`;
}

/** The constructor arguments of a @grpc/grpc-js client. */
export interface GrpcTarget {
  readonly address: string;
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/** Blocks and packages exceed gRPC's default of 4 MiB; 100 MiB is a node's limit (internal/pkg/comm/config.go, DefaultMaxRecvMsgSize). */
const maxMessageBytes = 100 * 1024 * 1024;

/**
 * Milliseconds without a call until a connection is closed; the next call opens it again, in a tenth of a second. A connection through a
 * forwarded port is a stream that the API server and the kubelet keep for us. grpc-js counts the calls and streams under way, and
 * closes none of them (internal-channel.ts, startIdleTimeout); its own default is 30 minutes.
 */
const idleMilliseconds = 5 * 60_000;

/** Throws `invalid` for certificates and keys that cannot be used. */
export function grpcTarget(endpoint: Endpoint): GrpcTarget {
  const { host, port, serverName } = endpoint;
  return {
    address: `${host.includes(":") ? `[${host}]` : host}:${port}`,
    credentials: credentialsFor(endpoint),
    options: {
      // The name sent to the server and checked in its certificate, instead of the (forwarded) address.
      "grpc.ssl_target_name_override": serverName,
      "grpc.default_authority": serverName,
      "grpc.max_receive_message_length": maxMessageBytes,
      "grpc.max_send_message_length": maxMessageBytes,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.client_idle_timeout_ms": idleMilliseconds,
    },
  };
}

/** Throws `invalid` for certificates and keys of which OpenSSL makes nothing. */
function credentialsFor(endpoint: Endpoint): ChannelCredentials {
  const { tlsRootCertificates, client } = endpoint;
  try {
    return credentials.createSsl(
      Buffer.from(tlsRootCertificates),
      client ? Buffer.from(client.privateKey) : null,
      client ? Buffer.from(client.certificate) : null,
    );
  } catch (cause) {
    const what = `expected certificates for TLS with ${endpointName(endpoint)}, and the key of ours, got: ${messageOf(cause)}`;
    throw new FabricError("invalid", what, { hint: [{ operation: "init" }, " makes anew what is not right"], cause });
  }
}
