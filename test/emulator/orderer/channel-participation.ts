import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { common } from "@hyperledger/fabric-protos";
import { dataHash, isConfigBlock, readBlock } from "../channel/block.ts";
import { ChannelConfig, configOfBlock } from "../channel/channel-config.ts";
import { checkChannelId } from "../channel/config-map.ts";
import { messageOf } from "../log.ts";
import { ChannelExists, ChannelNotExist, type Registrar } from "./registrar.ts";

const channelsUrl = "/participation/v1/channels";

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** The REST interface of an orderer's admin port (orderer/common/channelparticipation/restapi.go). */
export function newChannelParticipation(registrar: Registrar, enabled: boolean): RequestListener {
  return (request, response) => {
    void answerOf(request, registrar, enabled)
      .catch((error: unknown) => failure(500, messageOf(error)))
      .then((answer) => send(response, answer));
  };
}

async function answerOf(request: IncomingMessage, registrar: Registrar, enabled: boolean): Promise<Answer> {
  if (!enabled) {
    return failure(503, "channel participation API is disabled");
  }
  const path = new URL(request.url ?? "/", "http://orderer").pathname;
  const [, name] = /^\/participation\/v1\/channels(?:\/([^/]+))?$/.exec(path) ?? [];
  if (!path.startsWith(channelsUrl) || (name === undefined && path !== channelsUrl)) {
    return { status: 404 };
  }
  if (!accepts(request)) {
    return failure(406, "response Content-Type is application/json only");
  }
  if (name === undefined) {
    return channels(request, registrar);
  }
  return oneChannel(request, name, registrar);
}

async function channels(request: IncomingMessage, registrar: Registrar): Promise<Answer> {
  const type = request.headers["content-type"] ?? "";
  switch (request.method) {
    case "GET": {
      const list = registrar.names().map((name) => ({ name, url: `${channelsUrl}/${name}` }));
      // Go writes an empty slice that was never made as null.
      return ok({ systemChannel: null, channels: list.length === 0 ? null : list });
    }
    case "POST":
      return type.startsWith("multipart/form-data") ? join(request, registrar) : badContentType(type);
    default:
      return notAllowed(`invalid request method: ${request.method}`, "GET, POST, PUT");
  }
}

function oneChannel(request: IncomingMessage, name: string, registrar: Registrar): Answer {
  if (request.method !== "GET" && request.method !== "DELETE") {
    return notAllowed(`invalid request method: ${request.method}`, "GET, DELETE");
  }
  try {
    checkChannelId(name);
  } catch (error) {
    return failure(400, `invalid channel ID: ${messageOf(error)}`);
  }
  return request.method === "GET" ? show(name, registrar) : remove(name, registrar);
}

function show(name: string, registrar: Registrar): Answer {
  try {
    const info = registrar.info(name);
    return ok(withUrl(info));
  } catch (error) {
    return failure(404, messageOf(error));
  }
}

function remove(name: string, registrar: Registrar): Answer {
  try {
    registrar.remove(name);
    return { status: 204 };
  } catch (error) {
    return failure(error instanceof ChannelNotExist ? 404 : 400, `cannot remove: ${messageOf(error)}`);
  }
}

async function join(request: IncomingMessage, registrar: Registrar): Promise<Answer> {
  const part = await filePart(request, "config-block");
  if (!Buffer.isBuffer(part)) {
    return part;
  }
  const block = parse(() => readBlock(part), "cannot unmarshal file part config-block into a block");
  if (!(block instanceof common.Block)) {
    return block;
  }
  let channelId: string;
  try {
    channelId = checkJoinBlock(block);
  } catch (error) {
    return failure(400, `invalid join block: ${messageOf(error)}`);
  }
  try {
    return created(withUrl(registrar.join(channelId, block)));
  } catch (error) {
    return error instanceof ChannelExists
      ? notAllowed(`cannot join: ${error.message}`, "GET, DELETE")
      : failure(400, `cannot join: ${messageOf(error)}`);
  }
}

/** orderer/common/channelparticipation/validator.go ValidateJoinBlock. */
function checkJoinBlock(block: common.Block): string {
  if (!isConfigBlock(block)) {
    throw new Error("block is not a config block");
  }
  if ((block.getMetadata()?.getMetadataList().length ?? 0) === 0) {
    throw new Error("invalid block: does not have metadata");
  }
  const hash = dataHash(block.getData() ?? new common.BlockData());
  if (!Buffer.from(hash).equals(block.getHeader()?.getDataHash_asU8() ?? new Uint8Array())) {
    throw new Error("invalid block: Header.DataHash is different from Hash(block.Data)");
  }
  const { channelId, config } = configOfBlock(block);
  const parsed = new ChannelConfig(channelId, config);
  if (parsed.hasConsortiums()) {
    throw new Error("invalid config: contains consortiums: system channel not supported");
  }
  if (parsed.applicationOrganizations === undefined) {
    throw new Error("invalid config: must contain application config");
  }
  return channelId;
}

/** The one file of the form, or what to answer when there is not exactly that. */
async function filePart(request: IncomingMessage, key: string): Promise<Buffer | Answer> {
  const body = await buffer(request);
  let form: FormData;
  try {
    const headers = { "content-type": request.headers["content-type"] ?? "" };
    form = await new Response(new Uint8Array(body), { headers }).formData();
  } catch (error) {
    return failure(400, `cannot read form from request body: ${messageOf(error)}`);
  }
  const entries = [...form.entries()];
  const file = form.get(key);
  if (file === null || typeof file === "string") {
    return failure(400, `form does not contains part key: ${key}`);
  }
  return entries.length === 1 ? Buffer.from(await file.arrayBuffer()) : failure(400, "form contains too many parts");
}

function parse<T>(read: () => T, context: string): T | Answer {
  try {
    return read();
  } catch (error) {
    return failure(400, `${context}: ${messageOf(error)}`);
  }
}

function accepts(request: IncomingMessage): boolean {
  const accept = request.headers.accept ?? "";
  return accept === "" || ["application/json", "application/*", "*/*"].some((type) => accept.includes(type));
}

function withUrl<Info extends { readonly name: string }>(info: Info): Info & { readonly url: string } {
  const { name, ...rest } = info;
  return { name, url: `${channelsUrl}/${name}`, ...rest } as unknown as Info & { readonly url: string };
}

function ok(body: unknown): Answer {
  return { status: 200, headers: { "Cache-Control": "no-store" }, body };
}

function created(body: { readonly url: string }): Answer {
  return { status: 201, headers: { Location: body.url }, body };
}

function failure(status: number, error: string): Answer {
  return { status, body: { error } };
}

function notAllowed(error: string, allow: string): Answer {
  return { status: 405, headers: { Allow: allow }, body: { error } };
}

function badContentType(type: string): Answer {
  return failure(400, `unsupported Content-Type: [${type}]`);
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.statusCode = status;
  Object.entries(headers ?? {}).forEach(([name, value]) => response.setHeader(name, value));
  if (Buffer.isBuffer(body)) {
    response.end(body);
  } else if (body === undefined) {
    response.end();
  } else {
    response.setHeader("Content-Type", "application/json");
    response.end(`${JSON.stringify(body)}\n`);
  }
}
