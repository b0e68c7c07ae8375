import { FabricError, type ErrorCode } from "../error.ts";
import type { Remedy } from "../remedy.ts";
import type { V1Status } from "./client-node.ts";

/** The API server refused a request, with this `status`. */
export class ApiError extends FabricError {
  readonly httpStatus: number;
  readonly status: V1Status;
  /** Seconds after which the API server asks to be called again (Retry-After), if it has said so. */
  readonly retryAfter: number | undefined;

  constructor(httpStatus: number, status: V1Status, context: string, retryAfter?: number) {
    const { code, message, hint } = readStatus(httpStatus, status, context);
    super(code, message, { hint });
    this.httpStatus = httpStatus;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Whether the API server answered that the object does not exist. */
export function isNotFound(error: unknown): error is ApiError {
  return error instanceof ApiError && error.httpStatus === 404;
}

/** Whether the API server answered that the object exists already or has changed meanwhile. */
export function isConflict(error: unknown): error is ApiError {
  return error instanceof ApiError && error.httpStatus === 409;
}

/** Whether the API server answered that a resourceVersion, or the continue token of a list, is too old. */
export function isExpired(error: unknown): error is ApiError {
  return error instanceof ApiError && error.httpStatus === 410;
}

/** The Status in an answer's body. A proxy may have sent anything else: then a Status with that text. */
export function parseStatus(httpStatus: number, body: string): V1Status {
  try {
    const parsed: unknown = JSON.parse(body);
    if (isStatus(parsed)) return parsed;
  } catch {
    // Not JSON: its text becomes the message.
  }
  const text = body.trim().slice(0, 500);
  return { kind: "Status", status: "Failure", code: httpStatus, message: text || `HTTP status ${httpStatus}` };
}

function isStatus(value: unknown): value is V1Status {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "Status";
}

interface Reading {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: Remedy | undefined;
}

function readStatus(httpStatus: number, status: V1Status, context: string): Reading {
  const message = status.message ?? `HTTP status ${httpStatus}`;
  switch (httpStatus) {
    case 401:
      return {
        code: "forbidden",
        message: `expected valid credentials in context "${context}", the API server answered: ${message}`,
        hint: [
          "the credentials have expired or are not of this cluster: log in again, then try `",
          { kubectl: ["auth", "whoami"] },
          "`",
        ],
      };
    case 403:
      return { code: "forbidden", message, hint: forbiddenHint(message) };
    case 404:
      return { code: "not-found", message };
    case 409:
      return { code: "conflict", message };
    case 400:
    case 413:
    case 415:
    case 422:
      return { code: "invalid", message };
    case 429:
    case 503:
    case 504:
      return { code: "not-ready", message, hint: "the API server is busy or starting: try again" };
    default:
      return {
        code: "internal",
        message: `the API server answered ${httpStatus}: ${message}`,
        hint: webhookHint(message),
      };
  }
}

/** What to do after a 403: the three that occur are RBAC, Pod Security and an admission policy or webhook. */
function forbiddenHint(message: string): Remedy | undefined {
  const rbac = /cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?(?: in the namespace "([^"]+)")?/.exec(
    message,
  );
  if (rbac) {
    const [, verb = "", resource = "", group, namespace] = rbac;
    const where = namespace ? ["-n", namespace] : [];
    return { kubectl: ["auth", "can-i", verb, `${resource}${group ? `.${group}` : ""}`, ...where] };
  }
  if (message.includes("violates PodSecurity")) {
    return [
      "this namespace's Pod Security level rejects the Pod: see `",
      { kubectl: ["get", "namespace", "--show-labels"] },
      "`, label pod-security.kubernetes.io/enforce",
    ];
  }
  return undefined;
}

function webhookHint(message: string): string | undefined {
  const webhook = /failed calling webhook "([^"]+)"/.exec(message)?.[1];
  return webhook === undefined ? undefined : `the admission webhook ${webhook} does not answer: is its Pod running?`;
}
