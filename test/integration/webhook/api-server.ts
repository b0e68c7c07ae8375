// A real kube-apiserver with its etcd, of one version, and nothing else: no kubelet, no controllers.
import { spawn, type ChildProcess } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connectCluster, type Cluster } from "../../../core/kubernetes/cluster.ts";
import { issuer } from "../../../webhook/certificates/issue.ts";
import { lastLines } from "../../sandbox/command.ts";
import { newLayout } from "../../sandbox/layout.ts";
import { newProgress } from "../../sandbox/progress.ts";
import { buildPrograms, goBuilds, programsOf } from "../../sandbox/programs.ts";
import { freePorts } from "../free-ports.ts";

/** The Kubernetes of the sandbox, and the oldest that can be built from Go modules. */
export const apiServerVersions = ["1.36", "1.29"] as const;
export type ApiServerVersion = (typeof apiServerVersions)[number];

export interface ApiServer {
  readonly cluster: Cluster;
  /** A kubeconfig file for somebody with a token. */
  kubeconfigFor(user: string, token: string): Promise<string>;
  close(): Promise<void>;
}

const adminToken = "administrator";

/** Builds it, if need be, and starts it on ports that are free. */
export async function startApiServer(version: ApiServerVersion): Promise<ApiServer> {
  const { etcd, apiServer } = await programsFor(version);
  const directory = await mkdtemp(join(tmpdir(), "kubectl-fabric-api-server-"));
  const [client, peer, secure] = await freePorts(3);
  const certificates = await writeCertificates(directory);
  const server = `https://localhost:${secure}`;
  const children = [
    start(
      directory,
      etcd,
      `--data-dir ${join(directory, "etcd")} --unsafe-no-fsync --log-level warn
       --listen-client-urls http://127.0.0.1:${client} --advertise-client-urls http://127.0.0.1:${client}
       --listen-peer-urls http://127.0.0.1:${peer} --initial-advertise-peer-urls http://127.0.0.1:${peer}
       --initial-cluster default=http://127.0.0.1:${peer}`,
    ),
    start(
      directory,
      apiServer,
      `--etcd-servers http://127.0.0.1:${client} --secure-port ${secure} --bind-address 127.0.0.1 --allow-privileged=true
       --service-cluster-ip-range 10.96.0.0/16 --cert-dir ${join(directory, "generated")}
       --tls-cert-file ${certificates.cert} --tls-private-key-file ${certificates.key}
       --authorization-mode RBAC --token-auth-file ${certificates.tokens}
       --service-account-issuer https://kubernetes.default.svc
       --service-account-key-file ${certificates.accounts} --service-account-signing-key-file ${certificates.accounts}`,
    ),
  ];
  const kubeconfigFor = async (user: string, token: string): Promise<string> => {
    const file = join(directory, `${user}.kubeconfig`);
    await writeFile(file, kubeconfig(server, certificates.authority, user, token), { mode: 0o600 });
    return file;
  };
  const close = async (): Promise<void> => {
    await Promise.all(children.toReversed().map(ended));
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const cluster = await connectCluster({ kubeconfig: await kubeconfigFor("admin", adminToken), env: {} });
    await answers(cluster, children, directory);
    return {
      cluster,
      kubeconfigFor,
      close: async () => {
        cluster.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function programsFor(version: ApiServerVersion): Promise<{ readonly etcd: string; readonly apiServer: string }> {
  const layout = newLayout();
  const progress = newProgress((line) => process.stderr.write(line));
  await mkdir(layout.builds, { recursive: true });
  await buildPrograms("node", layout, progress);
  const bin = (name: string): string => join(layout.bin, name);
  if (version === "1.36") return { etcd: bin("etcd"), apiServer: bin("kube-apiserver") };
  await buildPrograms("oldest-api-server", layout, progress);
  return { etcd: bin("etcd"), apiServer: join(programsOf(goBuilds["oldest-api-server"], layout), "oldest-api-server") };
}

async function writeCertificates(directory: string) {
  const now = new Date();
  const authority = await issuer.authority(now);
  const leaf = await issuer.leaf(authority, new Date(now.getTime() + 86_400_000), ["localhost"], now);
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const write = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text, { mode: 0o600 });
    return join(directory, name);
  };
  return {
    authority: authority.cert,
    cert: await write("server.crt", leaf.cert),
    key: await write("server.key", leaf.key),
    accounts: await write("accounts.key", privateKey),
    tokens: await write("tokens.csv", `${adminToken},admin,1,"system:masters"\n`),
  };
}

function start(directory: string, program: string, flags: string): ChildProcess {
  const log = openSync(join(directory, `${program.slice(program.lastIndexOf("/") + 1)}.log`), "w");
  return spawn(program, flags.split(/\s+/), { stdio: ["ignore", log, log] });
}

/** The API server takes seconds over SIGTERM, and leaves nothing that anybody wants. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  child.kill("SIGKILL");
  await promise;
}

async function answers(cluster: Cluster, children: readonly ChildProcess[], directory: string): Promise<void> {
  for (const deadline = Date.now() + 180_000; ; await sleep(200)) {
    const dead = children.find(({ exitCode }) => exitCode !== null);
    if (dead !== undefined) throw new Error(`${dead.spawnfile} ended with ${dead.exitCode}`);
    try {
      await cluster.call({ method: "GET", path: "/api/v1/namespaces/default" });
      return;
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`no API server; its logs: ${await lastLogs(directory)}`, { cause: error });
    }
  }
}

async function lastLogs(directory: string): Promise<string> {
  const logs = (await readdir(directory)).filter((name) => name.endsWith(".log"));
  const texts = await Promise.all(logs.map((name) => readFile(join(directory, name), "utf8")));
  return texts.map((text) => lastLines(text, 10)).join("\n");
}

function kubeconfig(server: string, authority: string, user: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "x", cluster: { server, "certificate-authority-data": Buffer.from(authority).toString("base64") } },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: "x", context: { cluster: "x", user } }],
    "current-context": "x",
  });
}
