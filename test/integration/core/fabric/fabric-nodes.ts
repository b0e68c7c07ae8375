import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";
import {
  createCertificateAuthority,
  type Credential,
  issueEnrolmentCertificate,
  issueTlsCertificate,
  type NodeRole,
} from "../../../../core/fabric/identity/certificate-authority.ts";
import type { Endpoint } from "../../../../core/fabric/node/endpoint.ts";
import { localMsp, mspDefinition, type MspDefinition } from "../../../../core/fabric/identity/msp.ts";
import { newSigningIdentity, type SigningIdentity } from "../../../../core/fabric/identity/signing-identity.ts";
import { buildEmulator } from "../../../emulator/build.ts";
import { freePorts } from "../../free-ports.ts";
import { emulatorRelease, type FabricRelease, tool } from "./fabric-release.ts";

/** An organization with its authorities and an administrator. */
export interface TestOrganization {
  readonly mspId: string;
  readonly domain: string;
  readonly enrolment: Credential;
  readonly tls: Credential;
  readonly msp: MspDefinition;
  readonly admin: SigningIdentity;
  /** The administrator's local MSP, for Fabric's own tools. */
  readonly adminMsp: Readonly<Record<string, string>>;
  readonly adminTls: Credential;
}

/** A peer or orderer, running as a plain process on loopback. */
export interface TestNode {
  readonly name: string;
  readonly organization: TestOrganization;
  readonly address: { readonly host: string; readonly port: number };
  readonly endpoint: Endpoint;
  /** An orderer's admin port; a peer has none. */
  readonly admin: Endpoint;
  readonly identity: Credential;
  readonly tls: Credential;
  /** Stops the process and starts it again, with other certificates if given. */
  restart(certificates?: { readonly tls?: Credential }): Promise<void>;
  log(): Promise<string>;
}

export interface FabricNodes {
  readonly folder: string;
  startOrderer(organization: TestOrganization, name: string): Promise<TestNode>;
  startPeer(organization: TestOrganization, name: string): Promise<TestNode>;
  stop(): Promise<void>;
}

export async function newOrganization(mspId: string, domain: string): Promise<TestOrganization> {
  const now = new Date();
  const enrolment = await createCertificateAuthority({ commonName: `ca.${domain}`, organization: domain, now });
  const tls = await createCertificateAuthority({ commonName: `tlsca.${domain}`, organization: domain, now });
  const admin = await issueEnrolmentCertificate(enrolment, { commonName: `admin.${domain}`, role: "admin", now });
  const adminTls = await issueTlsCertificate(tls, { commonName: `admin.${domain}`, hosts: [], now });
  return {
    mspId,
    domain,
    enrolment,
    tls,
    msp: mspDefinition(mspId, enrolment.certificate, tls.certificate),
    admin: newSigningIdentity(mspId, admin),
    adminMsp: localMsp({
      identity: admin,
      rootCertificate: enrolment.certificate,
      tlsRootCertificate: tls.certificate,
    }),
    adminTls,
  };
}

/** Starts nothing yet; `stop` ends every process and removes every file. */
export async function fabricNodes(release: FabricRelease): Promise<FabricNodes> {
  const folder = await mkdtemp(join(tmpdir(), "fabric-"));
  const programs = release === emulatorRelease ? await emulatorIn(join(folder, "emulator")) : release;
  const running: NodeProcess[] = [];
  process.once("exit", () => running.forEach((node) => node.kill()));
  const start = async (kind: "orderer" | "peer", organization: TestOrganization, name: string) => {
    const started = await prepare(programs, folder, kind, organization, name);
    running.push(started);
    await started.start();
    return started.node;
  };
  return {
    folder,
    startOrderer: (organization, name) => start("orderer", organization, name),
    startPeer: (organization, name) => start("peer", organization, name),
    async stop() {
      await Promise.all(running.map((node) => node.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The emulator in the places where a release has its peer and orderer. */
async function emulatorIn(home: string): Promise<FabricRelease> {
  const program = await buildEmulator(join(home, "fabric"));
  await mkdir(join(home, "bin"));
  for (const name of ["peer", "orderer"]) await symlink(program, join(home, "bin", name));
  return { version: emulatorRelease.version, home };
}

interface NodeProcess {
  readonly node: TestNode;
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(): void;
}

async function prepare(
  release: FabricRelease,
  root: string,
  kind: "orderer" | "peer",
  organization: TestOrganization,
  name: string,
): Promise<NodeProcess> {
  const folder = join(root, `${name}.${organization.domain}`);
  const [port = 0, second = 0, operations = 0] = await freePorts(3);
  const { identity, tls } = await issueNode(organization, name, kind);
  await writeFiles(
    join(folder, "msp"),
    localMsp({
      identity,
      rootCertificate: organization.enrolment.certificate,
      tlsRootCertificate: organization.tls.certificate,
    }),
  );
  await writeFiles(join(folder, "tls"), tlsFiles(organization, tls));
  await writeConfig(release, folder);
  const ports = { port, second, operations };
  const env = kind === "peer" ? peerEnv(organization, name, folder, ports) : ordererEnv(organization, folder, ports);
  const logFile = join(folder, "log");
  let child: ChildProcess | undefined;
  const startProcess = async () => {
    child = launch(
      tool(release, kind),
      kind === "peer" ? ["node", "start"] : [],
      { ...env, FABRIC_CFG_PATH: folder },
      logFile,
    );
    await Promise.all([waitForPort(port, child, logFile), waitForPort(second, child, logFile)]);
  };
  const stopProcess = async () => {
    if (child) await end(child);
    child = undefined;
  };
  const endpoint = (at: number): Endpoint => ({
    host: "127.0.0.1",
    port: at,
    serverName: `${name}.${organization.domain}`,
    tlsRootCertificates: organization.tls.certificate,
  });
  const node: TestNode = {
    name,
    organization,
    address: { host: "localhost", port },
    endpoint: endpoint(port),
    admin: { ...endpoint(second), client: organization.adminTls },
    identity,
    tls,
    async restart(certificates) {
      await stopProcess();
      if (certificates?.tls) await writeFiles(join(folder, "tls"), tlsFiles(organization, certificates.tls));
      await startProcess();
    },
    log: () => readFile(logFile, "utf8"),
  };
  return { node, start: startProcess, stop: stopProcess, kill: () => child && signalGroup(child, "SIGKILL") };
}

async function issueNode(organization: TestOrganization, name: string, role: NodeRole) {
  const now = new Date();
  const commonName = `${name}.${organization.domain}`;
  const identity = await issueEnrolmentCertificate(organization.enrolment, { commonName, role, now });
  return { identity, tls: await issueNodeTls(organization, name) };
}

/** With the key it had, if given: a renewal. */
export function issueNodeTls(organization: TestOrganization, name: string, privateKey?: string): Promise<Credential> {
  const commonName = `${name}.${organization.domain}`;
  const hosts = [name, commonName, "localhost", "127.0.0.1"];
  return issueTlsCertificate(organization.tls, { commonName, hosts, privateKey, now: new Date() });
}

function tlsFiles(organization: TestOrganization, { certificate, privateKey }: Credential) {
  return { "ca.pem": organization.tls.certificate, "cert.pem": certificate, "key.pem": privateKey };
}

interface Ports {
  readonly port: number;
  /** A peer's chaincode port, an orderer's admin port. */
  readonly second: number;
  readonly operations: number;
}

function peerEnv({ mspId }: TestOrganization, name: string, folder: string, { port, second, operations }: Ports) {
  const tls = (file: string) => join(folder, "tls", file);
  return {
    CORE_PEER_ID: name,
    CORE_PEER_NETWORKID: "test",
    CORE_PEER_LOCALMSPID: mspId,
    CORE_PEER_MSPCONFIGPATH: join(folder, "msp"),
    CORE_PEER_ADDRESS: `localhost:${port}`,
    CORE_PEER_LISTENADDRESS: `127.0.0.1:${port}`,
    CORE_PEER_CHAINCODEADDRESS: `localhost:${second}`,
    CORE_PEER_CHAINCODELISTENADDRESS: `127.0.0.1:${second}`,
    CORE_PEER_GOSSIP_BOOTSTRAP: `localhost:${port}`,
    CORE_PEER_GOSSIP_EXTERNALENDPOINT: `localhost:${port}`,
    CORE_PEER_TLS_ENABLED: "true",
    CORE_PEER_TLS_CERT_FILE: tls("cert.pem"),
    CORE_PEER_TLS_KEY_FILE: tls("key.pem"),
    CORE_PEER_TLS_ROOTCERT_FILE: tls("ca.pem"),
    CORE_PEER_FILESYSTEMPATH: join(folder, "data"),
    CORE_LEDGER_SNAPSHOTS_ROOTDIR: join(folder, "snapshots"),
    CORE_OPERATIONS_LISTENADDRESS: `127.0.0.1:${operations}`,
    CORE_METRICS_PROVIDER: "disabled",
    CORE_VM_ENDPOINT: "",
    NODE: process.execPath,
  };
}

function ordererEnv({ mspId }: TestOrganization, folder: string, { port, second, operations }: Ports) {
  const tls = (file: string) => join(folder, "tls", file);
  return {
    ORDERER_GENERAL_LISTENADDRESS: "127.0.0.1",
    ORDERER_GENERAL_LISTENPORT: String(port),
    ORDERER_GENERAL_LOCALMSPID: mspId,
    ORDERER_GENERAL_LOCALMSPDIR: join(folder, "msp"),
    ORDERER_GENERAL_BOOTSTRAPMETHOD: "none",
    ORDERER_GENERAL_TLS_ENABLED: "true",
    ORDERER_GENERAL_TLS_CERTIFICATE: tls("cert.pem"),
    ORDERER_GENERAL_TLS_PRIVATEKEY: tls("key.pem"),
    ORDERER_GENERAL_TLS_ROOTCAS: `[${tls("ca.pem")}]`,
    ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE: tls("cert.pem"),
    ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY: tls("key.pem"),
    ORDERER_GENERAL_CLUSTER_ROOTCAS: `[${tls("ca.pem")}]`,
    ORDERER_CHANNELPARTICIPATION_ENABLED: "true",
    ORDERER_ADMIN_LISTENADDRESS: `127.0.0.1:${second}`,
    ORDERER_ADMIN_TLS_ENABLED: "true",
    ORDERER_ADMIN_TLS_CERTIFICATE: tls("cert.pem"),
    ORDERER_ADMIN_TLS_PRIVATEKEY: tls("key.pem"),
    ORDERER_ADMIN_TLS_ROOTCAS: `[${tls("ca.pem")}]`,
    ORDERER_ADMIN_TLS_CLIENTAUTHREQUIRED: "true",
    ORDERER_ADMIN_TLS_CLIENTROOTCAS: `[${tls("ca.pem")}]`,
    ORDERER_FILELEDGER_LOCATION: join(folder, "data"),
    ORDERER_CONSENSUS_WALDIR: join(folder, "wal"),
    ORDERER_CONSENSUS_SNAPDIR: join(folder, "snapshots"),
    ORDERER_OPERATIONS_LISTENADDRESS: `127.0.0.1:${operations}`,
    ORDERER_METRICS_PROVIDER: "disabled",
  };
}

/** The release's own configuration if it has one; a list like the external builders cannot be set by a variable. */
async function writeConfig({ home }: FabricRelease, folder: string): Promise<void> {
  const config = join(home, "config");
  const core = existsSync(config) ? (parse(await readFile(join(config, "core.yaml"), "utf8")) as CoreSettings) : {};
  if (existsSync(config)) await cp(join(config, "orderer.yaml"), join(folder, "orderer.yaml"));
  const externalBuilders = [
    { name: "node", path: join(import.meta.dirname, "node-builder"), propagateEnvironment: ["NODE", "PATH"] },
  ];
  await writeFile(
    join(folder, "core.yaml"),
    stringify({ ...core, chaincode: { ...core.chaincode, externalBuilders } }),
  );
}

interface CoreSettings {
  readonly chaincode?: object;
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content, { mode: 0o600 });
  }
}

/** In a process group of its own, so that the chaincode it starts ends with it. */
function launch(program: string, args: readonly string[], env: Record<string, string>, logFile: string): ChildProcess {
  const log = openSync(logFile, "a");
  const path = process.env["PATH"] ?? "";
  const child = spawn(program, args, { env: { ...env, PATH: path }, stdio: ["ignore", log, log], detached: true });
  closeSync(log);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  if (child.exitCode === null && child.signalCode === null) {
    signalGroup(child, "SIGTERM");
    await Promise.race([ended, sleep(5000, undefined, { ref: false })]);
  }
  signalGroup(child, "SIGKILL");
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function waitForPort(port: number, child: ChildProcess, logFile: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (child.exitCode !== null) break;
    if (await answers(port)) return;
    await sleep(50);
  }
  throw new Error(`nothing listens on ${port}:\n${(await readFile(logFile, "utf8")).slice(-3000)}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
