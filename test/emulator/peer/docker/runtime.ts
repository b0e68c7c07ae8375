import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { messageOf, type Log } from "../../log.ts";
import type { Metrics } from "../../metrics.ts";
import type { ChaincodeInstance, PeerConnection, Runtime } from "../chaincode/runtime.ts";
import type { ChaincodePackage } from "../lifecycle/package-store.ts";
import type { Engine } from "./engine.ts";
import { containerName, imageName, type PeerNames } from "./names.ts";
import { dockerfileOf, platformOf, type Platform, type PlatformImages } from "./platform.ts";

export interface DockerSettings extends PeerNames {
  readonly mspId: string;
  readonly images: PlatformImages;
  /** Of the containers, and its NetworkMode of image builds too. */
  readonly hostConfig: { readonly NetworkMode: string } & Readonly<Record<string, unknown>>;
  readonly loggingEnvironment: readonly string[];
  readonly attachOutput: boolean;
  /** Fabric's, for labels. */
  readonly version: string;
}

/** Chaincode in containers of a Docker daemon, with Fabric's names and in Fabric's order of calls (core/container/dockercontroller). */
export function newDockerRuntime(engine: Engine, settings: DockerSettings, metrics: Metrics, log: Log): Runtime {
  return {
    build: (chaincode) =>
      within("docker build failed", async () => {
        const image = imageName(settings, chaincode.packageId);
        const platform = await within("docker image inspection failed", () => inspect(engine, image)).then((exists) =>
          exists ? undefined : platformOf(chaincode.type, chaincode.path, settings.images),
        );
        if (platform !== undefined) {
          const started = performance.now();
          await within("docker image build failed", () => buildImage(engine, settings, chaincode, image, platform));
          metrics.observe("dockercontroller_chaincode_container_build_duration", (performance.now() - started) / 1000, {
            chaincode: chaincode.packageId,
            success: "true",
          });
        }
        return newContainer(engine, settings, chaincode, image, log);
      }),
  };
}

function inspect(engine: Engine, image: string): Promise<boolean> {
  return engine.imageExists(image);
}

/** Compiles in a container of the builder image, then adds the result to the runtime image. */
async function buildImage(
  engine: Engine,
  settings: DockerSettings,
  chaincode: ChaincodePackage,
  image: string,
  platform: Platform,
): Promise<void> {
  const output = await within("docker build failed", () => compile(engine, chaincode, platform));
  const context = pack();
  context.entry({ name: "Dockerfile", mode: 0o100644 }, dockerfileOf(platform, settings.version));
  context.entry({ name: "binpackage.tar", mode: 0o100644 }, output);
  context.finalize();
  await engine.buildImage(image, settings.hostConfig.NetworkMode, gzipSync(await buffer(context)));
}

async function compile(engine: Engine, chaincode: ChaincodePackage, platform: Platform): Promise<Buffer> {
  if (!(await engine.imageExists(platform.builderImage))) {
    await within(`Failed to pull ${platform.builderImage}`, () => engine.pullImage(platform.builderImage));
  }
  const container = await within("Error creating container", () =>
    engine.createContainer(undefined, {
      AttachStdout: true,
      AttachStderr: true,
      Env: platform.buildEnvironment,
      Cmd: ["/bin/sh", "-c", platform.buildScript],
      Image: platform.builderImage,
    }),
  );
  try {
    await within("Error uploading input to container", () =>
      engine.upload(container, "/chaincode/input", chaincode.code),
    );
    await within("Error executing build", () => engine.start(container));
    const status = await within("Error waiting for container to complete", () => engine.wait(container));
    if (status > 0) {
      throw new Error(`Error returned from build: ${status} "${await engine.logs(container)}"`);
    }
    return await within("Error downloading output", () => engine.download(container, "/chaincode/output/."));
  } finally {
    await engine.remove(container, false).catch(() => undefined);
  }
}

function newContainer(
  engine: Engine,
  settings: DockerSettings,
  chaincode: ChaincodePackage,
  image: string,
  log: Log,
): ChaincodeInstance {
  const name = containerName(settings, chaincode.packageId);
  const clear = async (): Promise<void> => {
    await engine.stop(name).catch(() => undefined);
    await engine.kill(name).catch(() => undefined);
    await engine.remove(name, true).catch(() => undefined);
  };
  return {
    kind: "container",
    start: async (connection) => {
      // A container of that name may be left from before.
      await clear();
      const command = startCommand(settings, chaincode, connection);
      await engine.createContainer(name, {
        AttachStdout: settings.attachOutput,
        AttachStderr: settings.attachOutput,
        Env: environmentOf(settings, chaincode, connection),
        Cmd: command,
        Image: image,
        HostConfig: settings.hostConfig,
      });
      if (connection.tls !== undefined) {
        await engine.upload(name, "/", await tlsArchive(connection.tls));
      }
      await engine.start(name);
      log(`Started container ${name}`);
    },
    stop: clear,
    wait: () => engine.wait(name),
  };
}

function startCommand(
  settings: DockerSettings,
  chaincode: ChaincodePackage,
  connection: PeerConnection,
): readonly string[] {
  return platformOf(chaincode.type, chaincode.path, settings.images).startCommand(connection.address);
}

const directory = "/etc/hyperledger/fabric";

function environmentOf(
  settings: DockerSettings,
  chaincode: ChaincodePackage,
  connection: PeerConnection,
): readonly string[] {
  const tls =
    connection.tls === undefined
      ? ["CORE_PEER_TLS_ENABLED=false"]
      : [
          "CORE_PEER_TLS_ENABLED=true",
          `CORE_TLS_CLIENT_KEY_PATH=${directory}/client.key`,
          `CORE_TLS_CLIENT_CERT_PATH=${directory}/client.crt`,
          `CORE_TLS_CLIENT_KEY_FILE=${directory}/client_pem.key`,
          `CORE_TLS_CLIENT_CERT_FILE=${directory}/client_pem.crt`,
          `CORE_PEER_TLS_ROOTCERT_FILE=${directory}/peer.crt`,
        ];
  return [
    `CORE_CHAINCODE_ID_NAME=${chaincode.packageId}`,
    ...settings.loggingEnvironment,
    ...tls,
    `CORE_PEER_LOCALMSPID=${settings.mspId}`,
  ];
}

async function tlsArchive(tls: NonNullable<PeerConnection["tls"]>): Promise<Buffer> {
  const archive = pack();
  const files = {
    "client.key": Buffer.from(tls.clientKey).toString("base64"),
    "client.crt": Buffer.from(tls.clientCertificate).toString("base64"),
    "client_pem.key": tls.clientKey,
    "client_pem.crt": tls.clientCertificate,
    "peer.crt": tls.rootCertificate,
  };
  Object.entries(files).forEach(([name, content]) =>
    archive.entry({ name: `${directory}/${name}`, mode: 0o100644 }, content),
  );
  archive.finalize();
  return gzipSync(await buffer(archive));
}

async function within<T>(context: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new Error(`${context}: ${messageOf(error)}`, { cause: error });
  }
}
