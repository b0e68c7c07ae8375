import { request } from "node:https";
import type { common } from "@hyperledger/fabric-protos";
import { FabricError, messageOf } from "../../error.ts";
import { answers, says } from "../node/answers.ts";
import { type CallOptions, defaultTimeout } from "../node/call-options.ts";
import { checkChannelName } from "./channel-name.ts";
import { type Endpoint, endpointName } from "../node/endpoint.ts";
import { isReset, resetConnection } from "../node/grpc-error.ts";

/** A channel as one orderer sees it (orderer/common/types/channelinfo.go). */
export interface OrdererChannel {
  readonly name: string;
  /** Whether it takes part in ordering, or only follows. */
  readonly consensusRelation: "consenter" | "follower" | "config-tracker" | "other";
  readonly status: "active" | "onboarding" | "inactive" | "failed";
  /** Blocks, the genesis block included. */
  readonly height: number;
}

/** orderer/common/channelparticipation/restapi.go */
const base = "/participation/v1/channels";

/** Channels that an orderer has joined, in order: osnadmin's REST on its admin port, with mutual TLS. */
export async function ordererChannels(endpoint: Endpoint, options?: CallOptions): Promise<readonly string[]> {
  const answer = await send(endpoint, "listing channels", { method: "GET", path: base }, options);
  if (answer.status !== 200) throw refusal(endpoint, "listing channels", answer);
  const { channels } = json(answer) as { channels: readonly { name: string }[] | null };
  return (channels ?? []).map(({ name }) => name).sort();
}

/** One channel; undefined when the orderer has not joined it. */
export async function ordererChannel(
  endpoint: Endpoint,
  name: string,
  options?: CallOptions,
): Promise<OrdererChannel | undefined> {
  checkChannelName(name);
  const answer = await send(endpoint, `reading ${name}`, { method: "GET", path: `${base}/${name}` }, options);
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw refusal(endpoint, `reading ${name}`, answer);
  return json(answer) as OrdererChannel;
}

/**
 * Joins an orderer to a channel by a configuration block; the genesis block makes the channel.
 * False when it had joined already. Throws `rejected` with the orderer's own words, `not-ready` while it is being removed.
 */
export async function joinOrderer(endpoint: Endpoint, block: common.Block, options?: CallOptions): Promise<boolean> {
  const form = new FormData();
  form.append("config-block", new Blob([new Uint8Array(block.serializeBinary())]), "config.block");
  const encoded = new Response(form);
  const body = {
    bytes: new Uint8Array(await encoded.arrayBuffer()),
    type: encoded.headers.get("content-type") ?? "multipart/form-data",
  };
  const answer = await send(endpoint, "joining a channel", { method: "POST", path: base, body }, options);
  if (answer.status === 201) return true;
  if (answer.status === 405 && says(answer.text, answers.channelExists)) return false;
  throw refusal(endpoint, "joining a channel", answer);
}

/** Removes an orderer from a channel, its blocks too. False when it had not joined. */
export async function removeOrderer(endpoint: Endpoint, name: string, options?: CallOptions): Promise<boolean> {
  checkChannelName(name);
  const answer = await send(endpoint, `leaving ${name}`, { method: "DELETE", path: `${base}/${name}` }, options);
  if (answer.status === 204) return true;
  if (answer.status === 404) return false;
  throw refusal(endpoint, `leaving ${name}`, answer);
}

interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly body?: { readonly bytes: Uint8Array; readonly type: string };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function send(
  endpoint: Endpoint,
  what: string,
  { method, path, body }: Request,
  { signal, timeout = defaultTimeout }: CallOptions = {},
): Promise<Answer> {
  const { host, port, serverName, tlsRootCertificates, client } = endpoint;
  const expiry = AbortSignal.timeout(timeout);
  return new Promise<Answer>((resolve, reject) => {
    const outgoing = request(
      {
        host,
        port,
        method,
        path,
        servername: serverName,
        ca: tlsRootCertificates,
        cert: client?.certificate,
        key: client?.privateKey,
        agent: false,
        signal: signal ? AbortSignal.any([signal, expiry]) : expiry,
        headers: { host: serverName, ...(body && { "content-type": body.type, "content-length": body.bytes.length }) },
      },
      (incoming) => {
        const chunks: Uint8Array[] = [];
        incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () =>
          resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body?.bytes);
  }).catch((cause: unknown) => {
    throw failure(endpoint, what, cause, signal, expiry);
  });
}

function failure(
  endpoint: Endpoint,
  what: string,
  cause: unknown,
  signal: AbortSignal | undefined,
  expiry: AbortSignal,
): FabricError {
  const where = `${what} at orderer ${endpointName(endpoint)}`;
  if (signal?.aborted) return new FabricError("interrupted", `${where}: interrupted`, { cause });
  if (expiry.aborted) return new FabricError("timeout", `${where}: no answer in time`, { cause });
  const text = messageOf(cause);
  const details = { cause, hint: connectionHint(endpoint, text) };
  if (isReset(text)) return resetConnection(where, text, endpoint, details);
  return new FabricError("connection", `${where}: ${text}`, details);
}

function connectionHint({ client }: Endpoint, text: string): string | undefined {
  if (/alert/.test(text) || isReset(text)) {
    return client
      ? "the admin port accepts client certificates of its own organization's TLS authority only (ORDERER_ADMIN_TLS_CLIENTROOTCAS)"
      : "the admin port asks for a client certificate";
  }
  if (/altnames|self.signed|unable to/.test(text)) {
    return "the orderer's TLS certificate is not what its organization's TLS authority vouches for";
  }
  if (/wrong version number/.test(text)) return "the admin port speaks plain HTTP: set ORDERER_ADMIN_TLS_ENABLED=true";
  return undefined;
}

function refusal(endpoint: Endpoint, what: string, { status, text }: Answer): FabricError {
  const message = `${what} at orderer ${endpointName(endpoint)}: ${errorText(text)} (HTTP ${status})`;
  if (status === 409) {
    return new FabricError("not-ready", message, { hint: "the channel is being removed there: try again in a moment" });
  }
  if (status === 503) {
    return new FabricError("rejected", message, {
      hint: "set ORDERER_CHANNELPARTICIPATION_ENABLED=true on the orderer",
    });
  }
  return new FabricError("rejected", message, {
    hint: status === 404 ? "is this the orderer's admin port (9443 in fabric-samples)?" : undefined,
  });
}

function errorText(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : text;
  } catch {
    return text.trim() || "no reason given";
  }
}

function json({ text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FabricError("invalid", `expected JSON from the orderer, found ${text.slice(0, 80)}`, { cause });
  }
}
