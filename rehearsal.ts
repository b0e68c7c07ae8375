// Runs the webhook's program once, from its start to its answer to a review, and keeps what V8 compiled meanwhile beside it:
// node dist/rehearsal.cjs PROGRAM. The Kubernetes API that it talks to is made up, and in this process.
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer, request as httpsRequest, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { temporaryFolder, type Lifetime } from "./build/lifetime.ts";
import { runScript, scriptCommand } from "./build/script.ts";
import type { KeyPair } from "./webhook/certificates/certificate.ts";
import { issuer } from "./webhook/certificates/issue.ts";
import { cacheOf, compilationOf } from "./webhook/compiled.ts";
import { parseConfiguration, serviceHosts } from "./webhook/configuration.ts";

const NAMESPACE = "org1";

const PATIENCE_MS = 60_000;

/** A peer that is injected. */
const POD = {
  metadata: { generateName: "peer0-", annotations: { "kubectl-fabric.io/inject": "true" } },
  spec: {
    containers: [
      {
        name: "peer",
        image: "docker.io/hyperledger/fabric-peer:3.1",
        command: ["peer", "node", "start"],
        env: [{ name: "CORE_PEER_ID", value: "peer0" }],
        volumeMounts: [{ name: "docker", mountPath: "/host/var/run/docker.sock" }],
      },
    ],
    volumes: [{ name: "docker", hostPath: { path: "/var/run/docker.sock" } }],
  },
};

const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "rehearsal",
    operation: "CREATE",
    namespace: NAMESPACE,
    resource: { group: "", version: "v1", resource: "pods" },
    object: POD,
  },
});

async function rehearse(lifetime: Lifetime, program: string): Promise<void> {
  const now = new Date();
  const authority = await issuer.authority(now);
  const hosts = [...serviceHosts(parseConfiguration([], {})), "localhost"];
  const leaf = await issuer.leaf(authority, new Date(now.getTime() + 365 * 86_400_000), hosts, now);
  const api = await lifetime.begin(
    () => startApi(authority, leaf),
    (server) => void server.close(),
  );
  const directory = await temporaryFolder(lifetime, "rehearsal-");
  await lifetime.unlessStopped(answerOnce(program, directory, (api.address() as AddressInfo).port, authority.cert));
}

async function answerOnce(program: string, directory: string, apiPort: number, ca: string): Promise<void> {
  const [kubeconfig, settings] = [join(directory, "kubeconfig"), join(directory, "settings.yaml")];
  writeFileSync(kubeconfig, kubeconfigFor(apiPort, ca));
  writeFileSync(settings, "apiVersion: kubectl-fabric.io/v1alpha1\nkind: InjectionSettings\n");
  process.env["KUBECONFIG"] = kubeconfig;
  process.argv = [process.execPath, program, "--port=0", "--probes-port=0", `--settings=${settings}`];
  const serving = portInLog();
  const { script, run } = compilationOf(program, undefined);
  run();
  const answer = await review(await serving, ca);
  if (!answer.includes('"patchType":"JSONPatch"')) throw new Error(`expected an injection, found ${answer}`);
  writeFileSync(cacheOf(program), script.createCachedData());
  chmodSync(cacheOf(program), 0o644);
}

/** The program's log, up to the line that tells its port; what it says otherwise nobody needs to see but when it fails. */
function portInLog(): Promise<number> {
  const { promise, resolve: found, reject } = Promise.withResolvers<number>();
  process.stdout.write = (written: string | Uint8Array): boolean => {
    for (const line of String(written).trimEnd().split("\n")) {
      const { level, message, port } = JSON.parse(line) as Record<string, unknown>;
      if (level !== "info") reject(new Error(line));
      if (message === "serving a certificate") found(Number(port));
    }
    return true;
  };
  setTimeout(() => reject(new Error(`expected a certificate to be served within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  return promise;
}

async function review(port: number, ca: string): Promise<string> {
  const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(REVIEW) };
  const options = { host: "localhost", port, path: "/inject", method: "POST", ca, headers };
  const outgoing = httpsRequest(options).end(REVIEW);
  const [incoming] = (await once(outgoing, "response")) as [NodeJS.ReadableStream];
  return text(incoming);
}

/** A cluster in which another replica has issued and published everything. */
async function startApi(authority: KeyPair, leaf: KeyPair): Promise<Server> {
  const base64 = (value: string): string => Buffer.from(value).toString("base64");
  const secret = ({ cert, key }: KeyPair): object => ({
    metadata: { resourceVersion: "1" },
    data: { "tls.crt": base64(cert), "tls.key": base64(key), "ca.crt": base64(authority.cert) },
  });
  const { namespace, authoritySecret, leafSecret, configuration } = parseConfiguration([], {});
  const objects: Readonly<Record<string, object>> = {
    "/version": { gitVersion: "v1.36.0" },
    "/api/v1/nodes": { items: [{ status: { nodeInfo: { kubeletVersion: "v1.36.0" } } }], metadata: {} },
    [`/api/v1/namespaces/${NAMESPACE}`]: { metadata: { name: NAMESPACE } },
    [`/api/v1/namespaces/${namespace}/secrets/${authoritySecret}`]: secret(authority),
    [`/api/v1/namespaces/${namespace}/secrets/${leafSecret}`]: secret(leaf),
    [`/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${configuration}`]: {
      metadata: { resourceVersion: "1" },
      webhooks: [{ name: "inject.kubectl-fabric.io", clientConfig: { caBundle: base64(authority.cert) } }],
    },
  };
  const server = createServer(leaf, ({ url = "" }, response) => {
    const found = objects[new URL(url, "https://localhost").pathname];
    response.writeHead(found === undefined ? 404 : 200).end(JSON.stringify(found ?? { kind: "Status", message: url }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function kubeconfigFor(port: number, ca: string): string {
  const cluster = {
    server: `https://localhost:${port}`,
    "certificate-authority-data": Buffer.from(ca).toString("base64"),
  };
  return JSON.stringify({
    clusters: [{ name: "rehearsal", cluster }],
    users: [{ name: "rehearsal", user: { token: "none" } }],
    contexts: [{ name: "rehearsal", context: { cluster: "rehearsal", user: "rehearsal" } }],
    "current-context": "rehearsal",
  });
}

void runScript({
  command: (lifetime) =>
    scriptCommand("node dist/rehearsal.cjs")
      .description(
        "Runs the webhook's program once, from its start to its answer to a review, and keeps what V8 compiled meanwhile beside it, " +
          "as PROGRAM.cache. About a second. The Kubernetes API that it talks to is made up.",
      )
      .argument("<program>", "the bundle that npm run build made")
      .addHelpText("after", "\nExample:\n  node dist/rehearsal.cjs dist/webhook-program.cjs")
      .action((program: string) => rehearse(lifetime, resolve(program))),
  leftovers: () => "A folder rehearsal-* may be left in the directory for temporary files.",
  // The webhook in this process would run on.
}).then(() => process.exit());
