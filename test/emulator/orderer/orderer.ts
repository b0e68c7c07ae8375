import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../environment.ts";
import { newLog } from "../log.ts";
import { loadLocalMsp } from "../msp/signer.ts";
import { listen } from "../transport/grpc-server.ts";
import { newOperations, serveHttp } from "../transport/operations.ts";
import { serverCredentials, serverTls, type ServerTls } from "../transport/tls.ts";
import { newAtomicBroadcastService } from "./broadcast.ts";
import { newChannelParticipation } from "./channel-participation.ts";
import { ClusterClient, newClusterService, type ClusterIdentity } from "./cluster.ts";
import { Registrar } from "./registrar.ts";

const log = newLog("orderer");
const tlsNames = { certificate: "CERTIFICATE", key: "PRIVATEKEY", clientRoots: "CLIENTROOTCAS" } as const;

/** Runs an orderer until it is told to stop; resolves once it serves. */
export async function startOrderer(environment: Environment, version: string): Promise<() => Promise<void>> {
  const method = environment.text("GENERAL_BOOTSTRAPMETHOD", "none");
  if (method !== "none") {
    throw new Error(`expected ORDERER_GENERAL_BOOTSTRAPMETHOD none, found ${method}`);
  }
  const { signer } = loadLocalMsp(
    environment.path("GENERAL_LOCALMSPDIR", "msp"),
    environment.text("GENERAL_LOCALMSPID", "SampleOrg"),
  );
  const tls = serverTls(environment, "GENERAL_TLS", tlsNames);
  const identity = clusterIdentity(environment, tls);
  const cluster = new ClusterClient(identity);
  const production = "/var/hyperledger/production/orderer";
  const ledgerDirectory = join(environment.path("FILELEDGER_LOCATION", production), "chains");
  const walDirectory = environment.path("CONSENSUS_WALDIR", `${production}/etcdraft/wal`);
  [ledgerDirectory, walDirectory].forEach((directory) => mkdirSync(directory, { recursive: true }));
  const registrar = new Registrar({ ledgerDirectory, walDirectory, signer, identity, cluster, log });

  const address = `${environment.text("GENERAL_LISTENADDRESS", "127.0.0.1")}:${environment.text("GENERAL_LISTENPORT", "7050")}`;
  const clusterService = newClusterService((channelId) => registrar.channel(channelId));
  const clusterPort = environment.text("GENERAL_CLUSTER_LISTENPORT");
  const services = [newAtomicBroadcastService(registrar, log), ...(clusterPort === "" ? [clusterService] : [])];
  const { server, port } = await listen(address, serverCredentials(tls), services);
  const clusterServer = clusterPort === "" ? undefined : await listenCluster(environment, clusterPort, clusterService);

  const participation = newChannelParticipation(registrar, environment.flag("CHANNELPARTICIPATION_ENABLED"));
  const admin = await serveHttp(
    environment.text("ADMIN_LISTENADDRESS", "127.0.0.1:9443"),
    serverTls(environment, "ADMIN_TLS", tlsNames),
    participation,
  );
  const operations = await serveHttp(
    environment.text("OPERATIONS_LISTENADDRESS", "127.0.0.1:8443"),
    serverTls(environment, "OPERATIONS_TLS", tlsNames),
    newOperations(version, [], undefined),
  );
  log(`Beginning to serve requests on port ${port}; admin port ${admin.port}, operations port ${operations.port}`);
  return async () => {
    registrar.close();
    cluster.close();
    server.forceShutdown();
    clusterServer?.forceShutdown();
    admin.server.close();
    operations.server.close();
  };
}

/** Fabric takes the general certificate when there is none for the cluster (orderer/common/server/main.go). */
function clusterIdentity(environment: Environment, tls: ServerTls | undefined): ClusterIdentity {
  if (tls === undefined) {
    throw new Error("TLS is required for running ordering nodes of cluster type.");
  }
  const [certificate] = environment.files("GENERAL_CLUSTER_CLIENTCERTIFICATE");
  const [key] = environment.files("GENERAL_CLUSTER_CLIENTPRIVATEKEY");
  const [serverCertificate] = environment.files("GENERAL_CLUSTER_SERVERCERTIFICATE");
  return {
    certificate: certificate ?? tls.certificate,
    key: key ?? tls.key,
    serverCertificate: serverCertificate ?? tls.certificate,
    roots: environment.files("GENERAL_CLUSTER_ROOTCAS"),
  };
}

async function listenCluster(
  environment: Environment,
  port: string,
  service: Parameters<typeof listen>[2][number],
): Promise<Awaited<ReturnType<typeof listen>>["server"]> {
  const [certificate] = environment.files("GENERAL_CLUSTER_SERVERCERTIFICATE");
  const [key] = environment.files("GENERAL_CLUSTER_SERVERPRIVATEKEY");
  if (certificate === undefined || key === undefined) {
    throw new Error(
      "Options: General.Cluster.ListenPort, General.Cluster.ListenAddress, General.Cluster.ServerCertificate, General.Cluster.ServerPrivateKey, should be defined altogether.",
    );
  }
  const address = `${environment.text("GENERAL_CLUSTER_LISTENADDRESS", "127.0.0.1")}:${port}`;
  const credentials = serverCredentials({ certificate, key, clientRoots: undefined });
  return (await listen(address, credentials, [service])).server;
}
