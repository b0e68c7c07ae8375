// A Kubernetes API as far as the webhook's own process can see it: Secrets, its configuration, versions, namespaces, nodes.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { generate } from "selfsigned";
import type { KeyPair } from "../../../webhook/certificates/certificate.ts";
import { issuer } from "../../../webhook/certificates/issue.ts";

interface ApiObject {
  metadata: { name: string; resourceVersion: string; labels?: Record<string, string> };
  data?: Record<string, string>;
  webhooks?: { name: string; clientConfig: { caBundle?: string; service: object } }[];
}

export interface FakeCluster {
  readonly kubeconfig: string;
  /** By its path below the API's root. */
  get(path: string): ApiObject;
  /** Requests as "METHOD path status". */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

const systemNamespace = "kubectl-fabric-system";
export const authorityPath = `/api/v1/namespaces/${systemNamespace}/secrets/kubectl-fabric-webhook-authority`;
export const leafPath = `/api/v1/namespaces/${systemNamespace}/secrets/kubectl-fabric-webhook-tls`;
export const configurationPath =
  "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/kubectl-fabric-webhook";

/** Starts a cluster in which the manifests were just applied. */
export async function startCluster(namespaces: Readonly<Record<string, Record<string, string>>>): Promise<FakeCluster> {
  let version = 1;
  const objects = new Map<string, ApiObject>();
  const add = (path: string, object: Partial<ApiObject>): void => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    objects.set(path, { ...object, metadata: { name, ...object.metadata, resourceVersion: String(version++) } });
  };
  add(authorityPath, { metadata: { name: "", resourceVersion: "", labels: { keep: "me" } } });
  add(leafPath, {});
  const service = { name: "kubectl-fabric-webhook", namespace: systemNamespace, path: "/inject" };
  add(configurationPath, { webhooks: [{ name: "inject.kubectl-fabric.io", clientConfig: { service } }] });
  for (const [name, labels] of Object.entries(namespaces)) {
    add(`/api/v1/namespaces/${name}`, { metadata: { name, resourceVersion: "", labels } });
  }

  const requests: string[] = [];
  const answer = (method: string, path: string, body: Partial<ApiObject>): [number, unknown] => {
    if (path === "/version") return [200, { major: "1", minor: "36", gitVersion: "v1.36.3" }];
    if (path === "/api/v1/nodes") {
      return [200, { items: [{ status: { nodeInfo: { kubeletVersion: "v1.35.1" } } }], metadata: {} }];
    }
    const found = objects.get(path);
    if (found === undefined) return [404, { kind: "Status", code: 404, message: `${path} not found` }];
    if (method === "GET") return [200, found];
    if (body.metadata?.resourceVersion !== found.metadata.resourceVersion) return [409, { kind: "Status", code: 409 }];
    const [webhook] = found.webhooks ?? [];
    const caBundle = body.webhooks?.[0]?.clientConfig.caBundle;
    if (method === "PATCH" && webhook !== undefined && caBundle !== undefined) webhook.clientConfig.caBundle = caBundle;
    if (method === "PUT") objects.set(path, body as ApiObject);
    const written = objects.get(path) ?? found;
    written.metadata = { ...written.metadata, resourceVersion: String(version++) };
    return [200, written];
  };

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await readBody(request);
    const { method = "", url = "" } = request;
    const path = new URL(url, "http://x").pathname;
    const [status, body] = answer(method, path, JSON.parse(text === "" ? "{}" : text) as Partial<ApiObject>);
    requests.push(`${method} ${path} ${status}`);
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  };
  const now = new Date();
  const authority = await issuer.authority(now);
  const leaf = await leafOfAddress(authority, now);
  const server = createServer(leaf, (request, response) => void respond(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    kubeconfig: kubeconfigFor(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, authority.cert),
    requests,
    get: (path) => {
      const found = objects.get(path);
      if (found === undefined) throw new Error(`no ${path}`);
      return found;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** An API server is known to its Pods by an address. */
async function leafOfAddress(authority: KeyPair, now: Date): Promise<KeyPair> {
  const { cert, private: key } = await generate([{ name: "commonName", value: "api-server" }], {
    keyType: "ec",
    algorithm: "sha256",
    notBeforeDate: now,
    notAfterDate: new Date(now.getTime() + 86_400_000),
    ca: authority,
    // 7 is iPAddress.
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }],
  });
  return { cert, key };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function kubeconfigFor(server: string, ca: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "fake", cluster: { server, "certificate-authority-data": Buffer.from(ca).toString("base64") } }],
    users: [{ name: "fake", user: { token: "a-token-that-must-not-be-logged" } }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
    "current-context": "fake",
  });
}
