import { credentials, ServerCredentials, type ChannelCredentials } from "@grpc/grpc-js";
import type { Environment } from "../environment.ts";

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

/** For calls to a node whose TLS roots are known; no roots means no TLS. */
export function clientCredentials(
  roots: readonly (string | Buffer)[],
  client?: { readonly certificate: Buffer; readonly key: Buffer },
): ChannelCredentials {
  return roots.length === 0
    ? credentials.createInsecure()
    : credentials.createSsl(Buffer.from(roots.join("\n")), client?.key ?? null, client?.certificate ?? null);
}
