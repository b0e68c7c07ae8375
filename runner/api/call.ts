import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "../api-error.ts";
import { isRecord, parseJson } from "../images/image-config.ts";

/** One call of the Engine API. */
export interface Call {
  readonly method: string;
  /** Without version: "/images/json". */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The group `name` of the route's pattern. */
  readonly name: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A route: the result of `answer` is sent as JSON, unless `answer` has sent a response itself. */
export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** Its group `name` matches the name or ID of the container or image. */
  readonly pattern: RegExp;
  readonly status?: number;
  readonly answer: (call: Call) => unknown;
}

/** Path and query of a request, without a leading API version: "/info" for "/v1.44/info". Undefined for an invalid URL. */
export function parseTarget(url: string): { readonly path: string; readonly query: URLSearchParams } | undefined {
  if (!URL.canParse(url, "http://docker")) return undefined;
  const { pathname, searchParams } = new URL(url, "http://docker");
  try {
    return { path: decodeURIComponent(pathname).replace(/^\/v\d+\.\d+(?=\/)/, ""), query: searchParams };
  } catch {
    return undefined;
  }
}

/** Whether a query parameter is true, as in Docker (moby api/server/httputils, BoolValue): everything but these words. */
export function isTrue(query: URLSearchParams, key: string): boolean {
  return !["", "0", "no", "false", "none"].includes((query.get(key) ?? "").trim().toLowerCase());
}

/** Values of one filter: `{"name":["a"]}`, or in API versions before 1.22 `{"name":{"a":true}}`. */
export function filterValues(query: URLSearchParams, key: string): readonly string[] {
  const filters = parseJson(query.get("filters") ?? "{}");
  if (!isRecord(filters)) throw new ApiError(400, "expected filters to be a JSON object");
  const values = filters[key];
  if (Array.isArray(values)) return values.map(String);
  return isRecord(values) ? Object.keys(values) : [];
}

const largestJson = 1024 * 1024;

/** A JSON object in the request's body. Throws ApiError 400 for anything else. */
export async function readJson(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestJson) throw new ApiError(413, `expected at most ${largestJson} bytes of JSON, found more`);
    chunks.push(chunk);
  }
  const body = parseJson(Buffer.concat(chunks).toString("utf8"));
  if (!isRecord(body)) throw new ApiError(400, "expected a JSON object in the request");
  return body;
}
