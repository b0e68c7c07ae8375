import type { X509Certificate } from "node:crypto";
import { FabricError, messageOf } from "../error.ts";

/** The server that was called, and the kubeconfig's context and user. */
export interface Called {
  readonly server: string;
  readonly context: string;
  readonly user: string;
  /** The client certificate in use, to tell whether it is the one that expired. */
  readonly certificate?: X509Certificate | undefined;
}

/** Why there was no answer from the API server, from what Node's net and tls throw. */
export function unreachable(error: unknown, called: Called, now = new Date()): FabricError {
  const { server, context, user, certificate } = called;
  const code = codeOf(error);
  const message = messageOf(error);
  if (certificate && certificate.validToDate < now) {
    return new FabricError(
      "forbidden",
      `expected a valid client certificate for user "${user}", found one that expired on ${certificate.validToDate.toISOString()}`,
      { hint: `log in to the cluster of context "${context}" again`, cause: error },
    );
  }
  if (isServerCertificate(code)) {
    return new FabricError(
      "cluster-unreachable",
      `${server} shows a certificate that context "${context}" does not trust: ${message}`,
      {
        hint: [
          "is certificate-authority-data of the kubeconfig this cluster's? Compare: ",
          { kubectl: ["--context", context, "cluster-info"] },
        ],
        cause: error,
      },
    );
  }
  if (code.includes("ALERT") || /alert (bad|unknown|certificate|unsupported)/.test(message)) {
    return new FabricError(
      "forbidden",
      `${server} does not accept the client certificate of user "${user}": ${message}`,
      {
        hint: `log in to the cluster of context "${context}" again`,
        cause: error,
      },
    );
  }
  return new FabricError(
    "cluster-unreachable",
    `expected an answer from ${server} (context "${context}"), got: ${plainly(code, message)}`,
    {
      hint: ["is the cluster running, and the VPN or proxy up? ", { kubectl: ["--context", context, "cluster-info"] }],
      cause: error,
    },
  );
}

/** OpenSSL's reasons not to trust a server, as Node names them (src/crypto/crypto_common.cc, X509ErrorCode). */
function isServerCertificate(code: string): boolean {
  return (
    code === "ERR_TLS_CERT_ALTNAME_INVALID" ||
    code === "CERT_HAS_EXPIRED" ||
    code === "CERT_NOT_YET_VALID" ||
    code === "CERT_UNTRUSTED" ||
    code === "CERT_SIGNATURE_FAILURE" ||
    code === "DEPTH_ZERO_SELF_SIGNED_CERT" ||
    code === "SELF_SIGNED_CERT_IN_CHAIN" ||
    code.startsWith("UNABLE_TO_")
  );
}

/**
 * Whether a failure may pass by itself: "unsent" when there was no connection; "cut" when it was lost, or no answer came in time.
 * Undefined for other failures, for example of certificates.
 */
export function passingFailure(failure: unknown): "unsent" | "cut" | undefined {
  if (!(failure instanceof FabricError) || failure.code !== "cluster-unreachable") return undefined;
  switch (codeOf(failure.cause)) {
    case "ECONNREFUSED":
    case "ENOTFOUND":
    case "EAI_AGAIN":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
    case "ERR_PROXY_TUNNEL": // the proxy could not connect
      return "unsent";
    case "ECONNRESET":
    case "EPIPE":
    case "ETIMEDOUT":
      return "cut";
    default:
      return undefined;
  }
}

/** Whether the other side closed the connection: something listens at the address. */
export function wasReset(failure: unknown): boolean {
  return failure instanceof FabricError && ["ECONNRESET", "EPIPE"].includes(codeOf(failure.cause));
}

function plainly(code: string, message: string): string {
  switch (code) {
    case "ECONNREFUSED":
      return "connection refused";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "no such host name";
    case "ECONNRESET":
    case "EPIPE":
      return "the connection was cut";
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `no route or no answer (${code})`;
    default:
      return message || code;
  }
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
