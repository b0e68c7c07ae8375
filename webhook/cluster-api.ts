import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { text } from "node:stream/consumers";
import type {
  V1MutatingWebhookConfiguration,
  V1Namespace,
  V1NodeList,
  V1Secret,
  VersionInfo,
} from "@kubernetes/client-node";
import { webhookObjects } from "../core/injection/webhook-objects.ts";
import { Connections } from "../core/kubernetes/connections.ts";
import { Credentials } from "../core/kubernetes/credentials.ts";
import type { LoadedKubeconfig } from "../core/kubernetes/kubeconfig.ts";

/**
 * The few calls of the Kubernetes API that the webhook makes. With the plugin's credentials, but not client-node's typed API: that
 * loads 700 models and undici, which took two thirds of the time to the first answer and a third of the memory.
 */
export interface ClusterApi {
  getCode(): Promise<Pick<VersionInfo, "gitVersion">>;
  listNode(page: { readonly limit: number; readonly _continue?: string }): Promise<V1NodeList>;
  readNamespace(which: { readonly name: string }): Promise<V1Namespace>;
  readNamespacedSecret(which: NamespacedName): Promise<V1Secret>;
  replaceNamespacedSecret(which: NamespacedName & { readonly body: V1Secret }): Promise<void>;
  readMutatingWebhookConfiguration(which: { readonly name: string }): Promise<V1MutatingWebhookConfiguration>;
  /** By a strategic merge, which finds each webhook by its name. */
  patchMutatingWebhookConfiguration(which: { readonly name: string; readonly body: object }): Promise<void>;
}

interface NamespacedName {
  readonly name: string;
  readonly namespace: string;
}

/** The API server refused a request. */
export class ClusterApiError extends Error {
  override readonly name = "ClusterApiError";
  /** HTTP status. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A connection without data for this time is given up: an API server that is killed does not always close it. */
const answerMs = 10_000;

const configurationsPath = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/** The API of the cluster that a configuration names. */
export function newClusterApi(loaded: LoadedKubeconfig): ClusterApi {
  const call = newCaller(loaded);
  const get = async <T>(path: string): Promise<T> => (await call("GET", path)) as T;
  const secret = ({ name, namespace }: NamespacedName): string => `/api/v1/namespaces/${namespace}/secrets/${name}`;
  return {
    getCode: () => get("/version"),
    listNode: ({ limit, _continue }) => {
      const query = new URLSearchParams({ limit: String(limit), ...(_continue && { continue: _continue }) });
      return get(`/api/v1/nodes?${query.toString()}`);
    },
    readNamespace: ({ name }) => get(`/api/v1/namespaces/${encodeURIComponent(name)}`),
    readNamespacedSecret: (which) => get(secret(which)),
    replaceNamespacedSecret: async ({ body, ...which }) =>
      void (await call("PUT", secret(which), "application/json", body)),
    readMutatingWebhookConfiguration: ({ name }) => get(`${configurationsPath}/${name}`),
    patchMutatingWebhookConfiguration: async ({ name, body }) =>
      void (await call("PATCH", `${configurationsPath}/${name}`, "application/strategic-merge-patch+json", body)),
  };
}

type Call = (method: string, path: string, contentType?: string, body?: object) => Promise<unknown>;

function newCaller(loaded: LoadedKubeconfig): Call {
  const { server } = loaded;
  const isTls = server.startsWith("https:");
  const credentials = new Credentials(loaded);
  const connections = new Connections(loaded);
  return async (method, path, contentType, body) => {
    // For each call, because a service account's token changes, and after years the cluster's CA.
    const options = connections.options(isTls ? await credentials.get(AbortSignal.timeout(answerMs)) : {});
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(options.headers as OutgoingHttpHeaders | undefined),
      accept: "application/json",
      "user-agent": webhookObjects.name,
      ...(payload && { "content-type": contentType, "content-length": Buffer.byteLength(payload) }),
    };
    const sent = () => exchange(new URL(server + path), { ...options, method, headers, timeout: answerMs }, payload);
    // Reads may be repeated: the server may have closed an idle connection just when it was used.
    return method === "GET" ? sent().catch((thrown: unknown) => again(thrown, sent)) : sent();
  };
}

function again(thrown: unknown, send: () => Promise<unknown>): Promise<unknown> {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code === "ECONNRESET" || code === "EPIPE") return send();
  throw thrown;
}

async function exchange(url: URL, options: RequestOptions, payload: string | undefined): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const open = url.protocol === "https:" ? httpsRequest : httpRequest;
  const outgoing = open(url, options, (answer) => {
    const status = answer.statusCode ?? 0;
    void text(answer)
      .then((body) => read(url.pathname, status, body))
      .then(resolve, reject);
  });
  outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer to ${url.pathname} within ${answerMs} ms`)));
  outgoing.on("error", reject).end(payload && Buffer.from(payload));
  return promise;
}

function read(path: string, status: number, body: string): unknown {
  if (status >= 200 && status < 300) return JSON.parse(body);
  throw new ClusterApiError(status, `${path}: ${status} ${messageIn(body)}`.trimEnd());
}

/** The message of a Status object. Nothing else of an answer goes into the error, because errors are logged. */
function messageIn(body: string): string {
  try {
    const { kind, message } = JSON.parse(body) as { kind?: unknown; message?: unknown };
    return kind === "Status" && typeof message === "string" ? message : "";
  } catch {
    return "";
  }
}
