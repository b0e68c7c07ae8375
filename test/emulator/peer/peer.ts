import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { milliseconds } from "../channel/channel-config.ts";
import { serveControl } from "../control.ts";
import type { Environment } from "../environment.ts";
import { Faults } from "../faults.ts";
import { newLog } from "../log.ts";
import { Metrics } from "../metrics.ts";
import { loadLocalMsp } from "../msp/signer.ts";
import { listen } from "../transport/grpc-server.ts";
import { newOperations, serveHttp, type HealthCheck } from "../transport/operations.ts";
import { serverCredentials, serverTls } from "../transport/tls.ts";
import { Acl } from "./acl.ts";
import { newCcaasRuntime } from "./chaincode/ccaas.ts";
import { newExternalBuilder, type BuilderConfig } from "./chaincode/external-builder.ts";
import { ChaincodeInvoker } from "./chaincode/invoker.ts";
import { ChaincodeLauncher } from "./chaincode/launcher.ts";
import type { Runtime } from "./chaincode/runtime.ts";
import { newChaincodeService, type ChaincodeService } from "./chaincode/service.ts";
import { newDeliverService } from "./deliver.ts";
import { newEngine, type Engine } from "./docker/engine.ts";
import { newDockerRuntime } from "./docker/runtime.ts";
import { dockerSettings } from "./docker/settings.ts";
import { Endorser } from "./endorser.ts";
import { GatewayEndorsement } from "./gateway/endorse.ts";
import { newGatewayService } from "./gateway/gateway.ts";
import { PeerDirectory } from "./gateway/peer-directory.ts";
import { Custodian } from "./lifecycle/custodian.ts";
import { approvedChaincode, definedNames, InstalledChaincodes } from "./lifecycle/installed.ts";
import { PackageStore, parsePackage } from "./lifecycle/package-store.ts";
import { Membership } from "./membership.ts";
import { OpenStreams } from "./open-streams.ts";
import { PeerChannels } from "./peer-channels.ts";

const log = newLog("peer");

/** Runs a peer until it is told to stop; resolves once it serves. */
export async function startPeer(environment: Environment, version: string): Promise<() => Promise<void>> {
  const mspId = environment.text("PEER_LOCALMSPID", "SampleOrg");
  const { msp, signer } = loadLocalMsp(environment.path("PEER_MSPCONFIGPATH", "msp"), mspId);
  const directory = environment.path("PEER_FILESYSTEMPATH", "/var/hyperledger/production");
  mkdirSync(directory, { recursive: true });
  const faults = new Faults();
  const metrics = new Metrics();
  const streams = new OpenStreams();
  const engine = newEngineOf(environment);

  // Channels ask the members for private data, and members are found through channels.
  const late: { membership: Membership | undefined } = { membership: undefined };
  const channels = new PeerChannels(join(directory, "ledgersData", "channels"), {
    signer,
    acl: new Acl(msp),
    faults,
    log,
    fetchPrivate: async (channelId, transactionId) =>
      (await late.membership?.fetchPrivate(channelId, transactionId)) ?? [],
  });
  const chaincodeService = await newChaincodeService(environment);
  const store = new PackageStore(join(directory, "lifecycle", "chaincodes"));
  const launcher = newLauncher(
    environment,
    version,
    mspId,
    directory,
    engine,
    chaincodeService,
    store,
    metrics,
    faults,
  );
  const installed = new InstalledChaincodes(store, launcher, channels, mspId, faults, log);
  const executeTimeout = milliseconds(environment.text("CHAINCODE_EXECUTETIMEOUT", "30s"));
  const invoker = new ChaincodeInvoker(launcher, installed, channels, mspId, executeTimeout);
  const endorser = new Endorser({ localMsp: msp, signer, channels, installed, invoker, metrics, faults, log });
  const tls = environment.flag("PEER_TLS_ENABLED");
  const membership = new Membership({
    localMsp: msp,
    signer,
    channels,
    endpoint: environment.text("PEER_GOSSIP_ENDPOINT") || environment.text("PEER_ADDRESS", "0.0.0.0:7051"),
    externalEndpoint: environment.text("PEER_GOSSIP_EXTERNALENDPOINT"),
    bootstrap: environment.text("PEER_GOSSIP_BOOTSTRAP").split(/[ ,]+/).filter(Boolean),
    ownTlsRoots: tls ? [...msp.definition.tlsRoots, ...environment.files("PEER_TLS_ROOTCERT_FILE")] : [],
    chaincodesOf: (channelId) => callableChaincodes(channelId, channels, mspId, installed),
    log,
  });
  late.membership = membership;
  channels.openAll();
  const custodian = new Custodian(installed, launcher, channels, mspId, log);
  custodian.rebuild();

  const directoryOfPeers = new PeerDirectory(membership, endorser);
  const endorsement = new GatewayEndorsement(directoryOfPeers, channels, mspId);
  const stopChaincodeService = await chaincodeService.serve(launcher);
  const { server, port } = await listen(
    environment.text("PEER_LISTENADDRESS", "0.0.0.0:7051"),
    serverCredentials(
      serverTls(environment, "PEER_TLS", {
        certificate: "CERT_FILE",
        key: "KEY_FILE",
        clientRoots: "CLIENTROOTCAS_FILES",
      }),
    ),
    [
      endorser.service(),
      newGatewayService(endorsement, channels, streams),
      newDeliverService(channels, streams, log),
      membership.service(),
    ],
    metrics,
  );
  membership.start();
  custodian.start();
  const operations = await listenOperations(environment, version, engine, metrics);
  const control = process.env["EMULATOR_CONTROL_ADDRESS"] ?? "";
  const controlServer =
    control === ""
      ? undefined
      : await serveControl(control, faults, () => {
          streams.dropAll();
          launcher.dropStreams();
        });
  // internal/peer/node/signals.go
  process.on("SIGUSR1", () => newLog("nodeCmd.diag")(custodian.report()));
  log(`Started peer with ID=[${environment.text("PEER_ID", "jdoe")}] on port ${port}`);
  return async () => {
    membership.stop();
    directoryOfPeers.close();
    server.forceShutdown();
    operations.close();
    controlServer?.close();
    custodian.close();
    await launcher.shutdown();
    stopChaincodeService();
    channels.close();
  };
}

function newEngineOf(environment: Environment): Engine | undefined {
  const endpoint = environment.text("VM_ENDPOINT");
  return endpoint === "" ? undefined : newEngine(endpoint);
}

function newLauncher(
  environment: Environment,
  version: string,
  mspId: string,
  directory: string,
  engine: Engine | undefined,
  service: ChaincodeService,
  store: PackageStore,
  metrics: Metrics,
  faults: Faults,
): ChaincodeLauncher {
  const runtimes: Runtime[] = [...externalBuilders(environment, directory, mspId)];
  if (engine !== undefined) {
    runtimes.push(newDockerRuntime(engine, dockerSettings(environment, mspId, version), metrics, log));
  }
  return new ChaincodeLauncher({
    runtimes,
    readPackage: (packageId) => parsePackage(store.read(packageId)),
    newConnection: () => service.newConnection(),
    startupTimeoutMilliseconds: milliseconds(environment.text("CHAINCODE_STARTUPTIMEOUT", "300s")),
    metrics,
    faults,
    log,
  });
}

/** The programs that core.yaml names; without them, what Fabric's images have built in for chaincode as a service. */
function externalBuilders(environment: Environment, directory: string, mspId: string): readonly Runtime[] {
  const configured = environment.text("CHAINCODE_EXTERNALBUILDERS");
  const builders = (
    configured === "" ? [{ name: "ccaas_builder", path: "" }] : JSON.parse(configured)
  ) as BuilderConfig[];
  return builders.flatMap((builder) => {
    if (existsSync(join(builder.path, "bin", "detect"))) {
      return [newExternalBuilder(builder, join(directory, "externalbuilder", "builds"), mspId, log)];
    }
    const values = process.env["CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"] ?? "";
    return builder.name === "ccaas_builder" ? [newCcaasRuntime(values)] : [];
  });
}

/** Those for which this peer can endorse: committed, approved and installed. */
function callableChaincodes(
  channelId: string,
  channels: PeerChannels,
  mspId: string,
  installed: InstalledChaincodes,
): readonly string[] {
  const state = channels.get(channelId)?.ledger.state;
  return state === undefined
    ? []
    : definedNames(state).filter(
        (name) => approvedChaincode(name, state, mspId, installed.ids())?.packageId !== undefined,
      );
}

async function listenOperations(
  environment: Environment,
  version: string,
  engine: Engine | undefined,
  metrics: Metrics,
): Promise<Awaited<ReturnType<typeof serveHttp>>["server"]> {
  const checks: readonly HealthCheck[] =
    engine === undefined
      ? []
      : [
          {
            component: "docker",
            check: () =>
              engine.ping().catch((error: unknown) => {
                throw new Error(`failed to ping to Docker daemon: ${(error as Error).message}`);
              }),
          },
        ];
  const enabled = environment.text("METRICS_PROVIDER", "disabled") === "prometheus";
  const { server } = await serveHttp(
    environment.text("OPERATIONS_LISTENADDRESS", "127.0.0.1:9443"),
    serverTls(environment, "OPERATIONS_TLS", {
      certificate: "CERT_FILE",
      key: "KEY_FILE",
      clientRoots: "CLIENTROOTCAS_FILES",
    }),
    newOperations(version, checks, enabled ? () => metrics.render() : undefined),
  );
  return server;
}
