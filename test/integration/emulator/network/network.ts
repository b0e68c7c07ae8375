import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { buildEmulator } from "../../../emulator/build.ts";
import { hear, look as lookOnce } from "./answers.ts";
import { genesisBlock } from "./genesis.ts";
import { newNode, newOrganization, type Node, type Organization } from "./organization.ts";
import { freePorts } from "../../free-ports.ts";
import { newProcess, type NodeProcess } from "./processes.ts";

export const channelId = "mychannel";

export interface OrdererNode extends Node {
  readonly process: NodeProcess;
  readonly port: number;
  readonly adminPort: number;
  readonly operations: string;
}

export interface PeerNode extends Node {
  readonly process: NodeProcess;
  readonly organization: Organization;
  readonly address: string;
  readonly operations: string;
  readonly control: string;
}

/** Orderers of one organization, and peers (one for each of two organizations, unless told), as processes on loopback. */
export interface Network {
  readonly directory: string;
  readonly ordererOrganization: Organization;
  readonly orderers: readonly OrdererNode[];
  readonly peers: readonly PeerNode[];
  readonly genesis: Buffer;
  /** File of the genesis block. */
  readonly genesisFile: string;
  stop(): Promise<void>;
}

/** What plays the nodes: commands, and variables beside those that the network itself needs. */
export interface Programs {
  readonly orderer: readonly string[];
  readonly peer: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Variables of one peer, by its CORE_PEER_ID. */
  readonly environmentOf?: (peerId: string) => Readonly<Record<string, string>>;
}

export async function emulatorPrograms(directory: string): Promise<Programs> {
  const program = await buildEmulator(join(directory, "fabric"));
  const command = [process.execPath, program];
  return { orderer: [...command, "orderer"], peer: [...command, "peer", "node", "start"] };
}

/** `peersOf`: the MSP ID of each peer's organization; the first peer of an organization is its anchor. */
export async function startNetwork(
  consensus: "etcdraft" | "BFT" = "etcdraft",
  programsIn: (directory: string) => Promise<Programs> = emulatorPrograms,
  peersOf: readonly string[] = ["Org1MSP", "Org2MSP"],
): Promise<Network> {
  await using starting = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "fabric-network-"));
  starting.defer(() => rm(directory, { recursive: true, force: true }));
  const programs = await programsIn(directory);
  const ordererOrganization = await newOrganization(directory, "OrdererMSP");
  const orderers = await Promise.all(
    (consensus === "BFT" ? [0, 1, 2, 3] : [0, 1, 2]).map((index) =>
      newOrderer(directory, programs, ordererOrganization, index),
    ),
  );
  const organizations = await Promise.all([...new Set(peersOf)].map((mspId) => newOrganization(directory, mspId)));
  const peers = (
    await Promise.all(
      organizations.map((organization) => {
        const count = peersOf.filter((mspId) => mspId === organization.mspId).length;
        return newPeers(directory, programs, organization, count);
      }),
    )
  ).flat();
  const anchors = organizations.map(({ mspId }) => peers.find(({ organization }) => organization.mspId === mspId));
  const block = genesisBlock({
    channelId,
    ordererOrganization,
    consensus,
    consenters: orderers.map(({ port, tls, signer }) => ({
      host: "127.0.0.1",
      port,
      tlsCertificate: tls.certificate,
      identity: { mspId: ordererOrganization.mspId, certificate: signer.certificate },
    })),
    organizations: anchors.flatMap((anchor) => {
      if (anchor === undefined) return [];
      const { organization, address } = anchor;
      return [{ organization, anchor: { host: "127.0.0.1", port: Number(address.split(":")[1]) } }];
    }),
  });
  const genesis = Buffer.from(block.serializeBinary());
  const genesisFile = join(directory, "genesis.block");
  await writeFile(genesisFile, genesis);
  const nodes = [...orderers, ...peers];
  starting.defer(async () => {
    await Promise.all(nodes.map(({ process: node }) => node.stop()));
  });
  // All of them have started or failed before any is stopped.
  const results = await Promise.allSettled(nodes.map(({ process: node }) => node.start()));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
  const started = starting.move();
  return {
    directory,
    ordererOrganization,
    orderers,
    peers,
    genesis,
    genesisFile,
    stop: () => started.disposeAsync(),
  };
}

async function newOrderer(
  directory: string,
  programs: Programs,
  organization: Organization,
  index: number,
): Promise<OrdererNode> {
  const [port = 0, adminPort = 0, operationsPort = 0] = await freePorts(3);
  const node = await newNode(directory, organization, `orderer${index}`, "orderer");
  const { tlsDirectory } = node;
  const environment = {
    ORDERER_GENERAL_LISTENADDRESS: "127.0.0.1",
    ORDERER_GENERAL_LISTENPORT: String(port),
    ORDERER_GENERAL_LOCALMSPID: organization.mspId,
    ORDERER_GENERAL_LOCALMSPDIR: node.mspDirectory,
    ORDERER_GENERAL_BOOTSTRAPMETHOD: "none",
    ORDERER_GENERAL_TLS_ENABLED: "true",
    ORDERER_GENERAL_TLS_CERTIFICATE: `${tlsDirectory}/server.crt`,
    ORDERER_GENERAL_TLS_PRIVATEKEY: `${tlsDirectory}/server.key`,
    ORDERER_GENERAL_TLS_ROOTCAS: `[${tlsDirectory}/ca.crt]`,
    ORDERER_GENERAL_CLUSTER_CLIENTCERTIFICATE: `${tlsDirectory}/server.crt`,
    ORDERER_GENERAL_CLUSTER_CLIENTPRIVATEKEY: `${tlsDirectory}/server.key`,
    ORDERER_GENERAL_CLUSTER_ROOTCAS: `[${tlsDirectory}/ca.crt]`,
    ORDERER_CHANNELPARTICIPATION_ENABLED: "true",
    ORDERER_ADMIN_LISTENADDRESS: `127.0.0.1:${adminPort}`,
    ORDERER_ADMIN_TLS_ENABLED: "true",
    ORDERER_ADMIN_TLS_CERTIFICATE: `${tlsDirectory}/server.crt`,
    ORDERER_ADMIN_TLS_PRIVATEKEY: `${tlsDirectory}/server.key`,
    ORDERER_ADMIN_TLS_CLIENTAUTHREQUIRED: "true",
    ORDERER_ADMIN_TLS_CLIENTROOTCAS: `[${tlsDirectory}/ca.crt]`,
    ORDERER_FILELEDGER_LOCATION: `${directory}/orderer${index}/ledger`,
    ORDERER_CONSENSUS_WALDIR: `${directory}/orderer${index}/wal`,
    ORDERER_CONSENSUS_SNAPDIR: `${directory}/orderer${index}/snapshots`,
    ORDERER_OPERATIONS_LISTENADDRESS: `127.0.0.1:${operationsPort}`,
  };
  return {
    ...node,
    process: newProcess(programs.orderer, { ...environment, ...programs.environment }, /Beginning to serve/),
    port,
    adminPort,
    operations: `http://127.0.0.1:${operationsPort}`,
  };
}

/** Peers of one organization, which find each other through the first. */
async function newPeers(
  directory: string,
  programs: Programs,
  organization: Organization,
  count: number,
): Promise<readonly PeerNode[]> {
  const ports = await freePorts(count);
  const bootstrap = `127.0.0.1:${ports[0]}`;
  return Promise.all(
    ports.map((port, index) => newPeer(directory, programs, organization, { name: `peer${index}`, port, bootstrap })),
  );
}

interface PeerPlace {
  readonly name: string;
  readonly port: number;
  /** Of the organization's first peer. */
  readonly bootstrap: string;
}

async function newPeer(
  directory: string,
  programs: Programs,
  organization: Organization,
  { name, port, bootstrap }: PeerPlace,
): Promise<PeerNode> {
  const [chaincodePort = 0, operationsPort = 0, controlPort = 0] = await freePorts(3);
  const node = await newNode(directory, organization, name, "peer");
  const address = `127.0.0.1:${port}`;
  const home = `${directory}/${organization.mspId}/${name}`;
  const environment = {
    CORE_PEER_ID: `${name}.${organization.mspId}`,
    CORE_PEER_ADDRESS: address,
    CORE_PEER_LISTENADDRESS: address,
    CORE_PEER_LOCALMSPID: organization.mspId,
    CORE_PEER_MSPCONFIGPATH: node.mspDirectory,
    CORE_PEER_FILESYSTEMPATH: `${home}/data`,
    CORE_PEER_TLS_ENABLED: "true",
    CORE_PEER_TLS_CERT_FILE: `${node.tlsDirectory}/server.crt`,
    CORE_PEER_TLS_KEY_FILE: `${node.tlsDirectory}/server.key`,
    CORE_PEER_TLS_ROOTCERT_FILE: `${node.tlsDirectory}/ca.crt`,
    CORE_PEER_CHAINCODEADDRESS: `localhost:${chaincodePort}`,
    CORE_PEER_CHAINCODELISTENADDRESS: `127.0.0.1:${chaincodePort}`,
    CORE_PEER_GOSSIP_BOOTSTRAP: bootstrap,
    CORE_PEER_GOSSIP_EXTERNALENDPOINT: address,
    CORE_LEDGER_SNAPSHOTS_ROOTDIR: `${home}/snapshots`,
    CORE_OPERATIONS_LISTENADDRESS: `127.0.0.1:${operationsPort}`,
    CORE_METRICS_PROVIDER: "prometheus",
    EMULATOR_CONTROL_ADDRESS: `127.0.0.1:${controlPort}`,
  };
  return {
    ...node,
    process: newProcess(
      programs.peer,
      { ...environment, ...programs.environment, ...programs.environmentOf?.(environment.CORE_PEER_ID) },
      /Started peer/,
    ),
    organization,
    address,
    operations: `http://127.0.0.1:${operationsPort}`,
    control: `http://127.0.0.1:${controlPort}`,
  };
}

export interface ParticipationAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A call of channel participation, with the orderer's own certificate as client. */
export async function participate(
  orderer: OrdererNode,
  organization: Organization,
  method: string,
  path: string,
  block?: Buffer,
): Promise<ParticipationAnswer> {
  const boundary = "----block";
  const body =
    block &&
    Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="config-block"; filename="b"\r\nContent-Type: application/octet-stream\r\n\r\n`,
      ),
      block,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(
      {
        host: "localhost",
        port: orderer.adminPort,
        method,
        path: `/participation/v1/channels${path}`,
        ca: organization.tlsCa.certificate,
        cert: orderer.tls.certificate,
        key: orderer.tls.key,
        headers: body === undefined ? {} : { "Content-Type": `multipart/form-data; boundary=${boundary}` },
      },
      resolve,
    );
    sent.on("error", reject);
    sent.end(body);
  });
  const answer = await answerOf(response);
  hear(`${method} /participation/v1/channels${path}`, answer, `127.0.0.1:${orderer.port}`);
  return answer;
}

async function answerOf(response: IncomingMessage): Promise<ParticipationAnswer> {
  const content = await text(response);
  return { status: response.statusCode ?? 0, body: content === "" ? undefined : (JSON.parse(content) as unknown) };
}

/** Waits until it is so; rejects after half a minute. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await lookOnce(look);
    if (found !== undefined) {
      return found;
    }
    if (Date.now() > deadline) {
      throw new Error(`expected ${what} within 30 seconds`);
    }
    await sleep(50);
  }
}
