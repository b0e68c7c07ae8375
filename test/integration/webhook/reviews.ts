import { Agent, request, type RequestOptions } from "node:https";
import type { IncomingHttpHeaders } from "node:http";
import type { TLSSocket } from "node:tls";

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Fingerprint of the certificate that the connection was made with. */
  readonly fingerprint: string;
  /** Whether the connection was used before. */
  readonly reused: boolean;
}

/** The name by which the API server calls the Service. */
export const serverName = "kubectl-fabric-webhook.kubectl-fabric-system.svc";

/** Connections kept alive, as the API server keeps them. */
export function newCaller(port: number, ca: () => string) {
  const agent = new Agent({ keepAlive: true });
  const call = (body: string | Buffer, options: RequestOptions = {}): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const outgoing = request(
        {
          agent,
          host: "127.0.0.1",
          port,
          path: "/inject",
          method: "POST",
          ca: ca(),
          servername: serverName,
          headers: { "Content-Type": "application/json" },
          ...options,
        },
        (response) => {
          const chunks: Buffer[] = [];
          const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString("utf8");
            const { statusCode: status = 0, headers } = response;
            resolve({ status, headers, text, fingerprint: fingerprint256, reused: outgoing.reusedSocket });
          });
        },
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });
  return { call, close: () => agent.destroy() };
}

/** A review as an API server of 1.36 sends it. */
export function reviewOf(object: unknown, request: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "0f1e2d3c",
      kind: { group: "", version: "v1", kind: "Pod" },
      resource: { group: "", version: "v1", resource: "pods" },
      requestKind: { group: "", version: "v1", kind: "Pod" },
      requestResource: { group: "", version: "v1", resource: "pods" },
      namespace: "org1",
      operation: "CREATE",
      userInfo: { username: "system:serviceaccount:kube-system:replicaset-controller" },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
      ...request,
    },
  });
}

/** A Pod as a ReplicaSet makes it. */
export function peerPod(annotations: Readonly<Record<string, string>> = { "kubectl-fabric.io/inject": "true" }) {
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { generateName: "peer0-", namespace: "org1", creationTimestamp: null, annotations },
    spec: {
      containers: [
        {
          name: "peer",
          image: "hyperledger/fabric-peer:2.5.15",
          env: [{ name: "CORE_VM_ENDPOINT", value: "unix:///host/var/run/docker.sock" }],
          volumeMounts: [{ name: "docker", mountPath: "/host/var/run/docker.sock" }],
        },
      ],
      volumes: [{ name: "docker", hostPath: { path: "/var/run/docker.sock", type: "" } }],
    },
  };
}
