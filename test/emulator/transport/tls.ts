import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { credentials, ServerCredentials, type ChannelCredentials, type ClientOptions } from "@grpc/grpc-js";
import type { Environment } from "../environment.ts";
import { maxMessageBytes } from "./grpc-server.ts";

/** What a server of a node presents, and whom it lets in. */
export interface ServerTls {
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Absent when clients need no certificate. */
  readonly clientRoots: Buffer | undefined;
}

export function serverCredentials(tls: ServerTls | undefined): ServerCredentials {
  return tls === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(
        tls.clientRoots ?? null,
        [{ cert_chain: tls.certificate, private_key: tls.key }],
        tls.clientRoots !== undefined,
      );
}

/** The settings `<prefix>_ENABLED`, `_CERT…`, `_…KEY`, `_CLIENTAUTHREQUIRED`, `_CLIENTROOTCAS` of one listener. */
export function serverTls(
  environment: Environment,
  prefix: string,
  names: { readonly certificate: string; readonly key: string; readonly clientRoots: string },
): ServerTls | undefined {
  if (!environment.flag(`${prefix}_ENABLED`)) {
    return undefined;
  }
  const [certificate] = environment.files(`${prefix}_${names.certificate}`);
  const [key] = environment.files(`${prefix}_${names.key}`);
  if (certificate === undefined || key === undefined) {
    throw new Error(`Failed to load ${prefix} certificate and key: not set`);
  }
  const required = environment.flag(`${prefix}_CLIENTAUTHREQUIRED`);
  return {
    certificate,
    key,
    clientRoots: required ? Buffer.concat(environment.files(`${prefix}_${names.clientRoots}`)) : undefined,
  };
}

export interface Dialing {
  readonly credentials: ChannelCredentials;
  readonly options: ClientOptions;
}

/** How to call a node whose TLS roots are known; no roots means no TLS. `address` is host:port. */
export function dial(
  address: string,
  roots: readonly (string | Buffer)[],
  client?: { readonly certificate: Buffer; readonly key: Buffer },
): Dialing {
  const options: ClientOptions = {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.initial_reconnect_backoff_ms": 200,
    "grpc.max_reconnect_backoff_ms": 1000,
  };
  if (roots.length === 0) {
    return { credentials: credentials.createInsecure(), options };
  }
  const host = address.slice(0, address.lastIndexOf(":")).replace(/[[\]]/g, "");
  // An IP address may not be asked for by name (RFC 6066), but it is what the certificate must be for.
  const byAddress = isIP(host) !== 0;
  return {
    credentials: credentials.createSsl(
      Buffer.from(roots.join("\n")),
      client?.key ?? null,
      client?.certificate ?? null,
      byAddress ? { checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) } : {},
    ),
    options: byAddress ? { ...options, "grpc.ssl_target_name_override": "localhost" } : options,
  };
}
