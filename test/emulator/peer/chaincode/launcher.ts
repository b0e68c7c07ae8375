import { connect } from "node:net";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { peer } from "@hyperledger/fabric-protos";
import type { Faults } from "../../faults.ts";
import { messageOf, type Log } from "../../log.ts";
import type { Metrics } from "../../metrics.ts";
import { dial } from "../../transport/tls.ts";
import type { ChaincodePackage } from "../lifecycle/package-store.ts";
import { ChaincodeHandler, type ChaincodeStream } from "./handler.ts";
import type { ChaincodeInstance, ChaincodeServer, PeerConnection, Runtime } from "./runtime.ts";

export interface LauncherOptions {
  /** Asked in turn; the first that takes a package builds it. */
  readonly runtimes: readonly Runtime[];
  readPackage(packageId: string): Promise<ChaincodePackage>;
  /** A fresh certificate for every launch. */
  newConnection(): Promise<PeerConnection>;
  readonly startupTimeoutMilliseconds: number;
  readonly metrics: Metrics;
  readonly faults: Faults;
  readonly log: Log;
}

interface Launch {
  readonly ready: Promise<ChaincodeHandler>;
  succeed(handler: ChaincodeHandler): void;
  fail(error: Error): void;
  readonly running: { handler: ChaincodeHandler | undefined };
}

/** Builds chaincodes, starts them when they are called, and knows which run (core/chaincode/runtime_launcher.go, handler_registry.go). */
export class ChaincodeLauncher {
  readonly #options: LauncherOptions;
  readonly #builds = new Map<string, Promise<ChaincodeInstance>>();
  readonly #launches = new Map<string, Launch>();

  constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /** Builds once; a build that failed is tried again by the next call. */
  build(packageId: string): Promise<ChaincodeInstance> {
    const existing = this.#builds.get(packageId);
    if (existing !== undefined) {
      return existing;
    }
    const build = this.#build(packageId);
    this.#builds.set(packageId, build);
    build.catch(() => this.#builds.delete(packageId));
    return build;
  }

  isBuilt(packageId: string): boolean {
    return this.#builds.has(packageId);
  }

  /** The running chaincode, started if need be. */
  async launch(packageId: string): Promise<ChaincodeHandler> {
    const started = performance.now();
    const existing = this.#launches.get(packageId);
    const launch = existing ?? this.#begin(packageId);
    try {
      const handler = await launch.ready;
      if (existing === undefined) {
        this.#observe(packageId, started, true);
      }
      return handler;
    } catch (error) {
      this.#observe(packageId, started, existing !== undefined);
      if (this.#launches.get(packageId) === launch) {
        this.#launches.delete(packageId);
      }
      throw new Error(`could not launch chaincode ${packageId}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Serves a chaincode that dialled in. */
  accept(stream: ServerDuplexStream<peer.ChaincodeMessage, peer.ChaincodeMessage>): void {
    this.#converse(stream);
  }

  /** Stops a chaincode's container, if it has one that was started here. */
  async stop(packageId: string): Promise<void> {
    const instance = await this.#builds.get(packageId);
    if (instance?.kind === "container") {
      await instance.stop();
    }
  }

  /** Stops every container that was started here. */
  async shutdown(): Promise<void> {
    for (const packageId of this.#builds.keys()) {
      await this.stop(packageId).catch(() => undefined);
    }
  }

  /** Ends every conversation, as when connections are lost. */
  dropStreams(): void {
    [...this.#launches.values()].forEach(({ running }) => running.handler?.close());
  }

  async #build(packageId: string): Promise<ChaincodeInstance> {
    const chaincode = await this.#options.readPackage(packageId);
    for (const runtime of this.#options.runtimes) {
      const instance = await runtime.build(chaincode);
      if (instance !== undefined) {
        return instance;
      }
    }
    throw new Error("no DockerBuilder, cannot build");
  }

  #begin(packageId: string): Launch {
    const { promise, resolve, reject } = Promise.withResolvers<ChaincodeHandler>();
    // Whoever waits gets the error; nobody may be waiting any more.
    promise.catch(() => undefined);
    const timer = setTimeout(() => {
      this.#options.metrics.count("chaincode_launch_timeouts", { chaincode: packageId });
      reject(new Error(`timeout expired while starting chaincode ${packageId} for transaction`));
    }, this.#options.startupTimeoutMilliseconds);
    const launch: Launch = {
      ready: promise.finally(() => clearTimeout(timer)),
      succeed: resolve,
      fail: reject,
      running: { handler: undefined },
    };
    launch.ready.catch(() => undefined);
    this.#launches.set(packageId, launch);
    this.#run(packageId, launch).catch((error: unknown) => {
      this.#options.metrics.count("chaincode_launch_failures", { chaincode: packageId });
      launch.fail(error as Error);
    });
    return launch;
  }

  async #run(packageId: string, launch: Launch): Promise<void> {
    const instance = await this.build(packageId).catch((error: unknown) => {
      throw new Error(`error building chaincode: error building image: ${messageOf(error)}`, { cause: error });
    });
    if (instance.kind === "server") {
      await this.#dial(packageId, instance.server);
      launch.fail(new Error(`chaincode registration failed: connection to ${packageId} terminated`));
      return;
    }
    const connection = await this.#options.newConnection();
    try {
      if (this.#options.faults.vanishedImage) {
        throw new Error(`Error response from daemon: No such image: ${packageId.replace(":", "-")}:latest`);
      }
      await instance.start(connection);
    } catch (error) {
      throw new Error(`error starting container: error starting container: ${messageOf(error)}`, { cause: error });
    }
    const code = await instance.wait();
    this.#options.log(`chaincode ${packageId}: container exited with ${code}`);
    launch.fail(new Error(`chaincode registration failed: container exited with ${code}`));
    if (this.#launches.get(packageId) === launch) {
      launch.running.handler?.close();
      this.#launches.delete(packageId);
    }
  }

  /** Until the connection ends; rejects when there is none (core/chaincode/extcc). */
  async #dial(packageId: string, server: ChaincodeServer): Promise<void> {
    const { tls } = server;
    const client =
      tls?.clientKey === undefined || tls.clientCertificate === undefined
        ? undefined
        : { certificate: Buffer.from(tls.clientCertificate), key: Buffer.from(tls.clientKey) };
    const { credentials, options } = dial(server.address, tls === undefined ? [] : [tls.rootCertificate], client);
    const chaincode = new peer.ChaincodeClient(server.address, credentials, options);
    const notConnected = (reason: string, cause?: unknown): Error =>
      new Error(
        `connection to ${packageId} failed: error cannot create connection for ${packageId}: error creating grpc connection to ${server.address}: failed to create new connection: ${reason}`,
        { cause },
      );
    try {
      if (await refuses(server.address)) {
        throw notConnected(
          `connection error: desc = "transport: error while dialing: dial tcp ${server.address}: connect: connection refused"`,
        );
      }
      await new Promise<void>((resolve, reject) => {
        chaincode.waitForReady(Date.now() + server.dialTimeoutMilliseconds, (error) =>
          error === undefined ? resolve() : reject(error),
        );
      }).catch((error: unknown) => {
        throw notConnected("context deadline exceeded", error);
      });
      await new Promise<void>((resolve) => {
        this.#converse(chaincode.connect(), resolve);
      });
    } finally {
      chaincode.close();
    }
  }

  #converse(stream: ChaincodeStream, ended?: () => void): void {
    void new ChaincodeHandler({
      stream,
      onRegister: (handler, chaincodeId) => this.#register(handler, chaincodeId),
      onEnd: (handler) => {
        this.#deregister(handler);
        ended?.();
      },
      metrics: this.#options.metrics,
      log: this.#options.log,
    });
  }

  #register(handler: ChaincodeHandler, chaincodeId: string): void {
    const launch = this.#launches.get(chaincodeId);
    if (launch === undefined) {
      throw new Error(`peer will not accept external chaincode connection ${chaincodeId} (except in dev mode)`);
    }
    if (launch.running.handler !== undefined) {
      throw new Error(`duplicate chaincodeID: ${chaincodeId}`);
    }
    launch.running.handler = handler;
    // After the answers that the handler is about to write.
    queueMicrotask(() => launch.succeed(handler));
  }

  #deregister(handler: ChaincodeHandler): void {
    const launch = this.#launches.get(handler.chaincodeId);
    if (launch?.running.handler === handler) {
      this.#launches.delete(handler.chaincodeId);
    }
  }

  #observe(packageId: string, started: number, success: boolean): void {
    this.#options.metrics.observe("chaincode_launch_duration", (performance.now() - started) / 1000, {
      chaincode: packageId,
      success: String(success),
    });
  }
}

/** Whether nothing listens there, for which Fabric does not wait (internal/pkg/comm/config.go, FailOnNonTempDialError). */
function refuses(address: string): Promise<boolean> {
  const at = address.lastIndexOf(":");
  return new Promise((resolve) => {
    const socket = connect(Number(address.slice(at + 1)), address.slice(0, at));
    const end = (refused: boolean): void => {
      socket.destroy();
      resolve(refused);
    };
    socket.once("connect", () => end(false));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code === "ECONNREFUSED"));
  });
}
