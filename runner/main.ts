#!/usr/bin/env node
import { once } from "node:events";
import { chmod, readdir, rm } from "node:fs/promises";
import type { Server } from "node:http";
import { join } from "node:path";
import { containerRoutes } from "./api/containers.ts";
import { diskUsageRoutes } from "./api/disk-usage.ts";
import { imageRoutes } from "./api/images.ts";
import { newApiServer } from "./api/server.ts";
import { systemRoutes } from "./api/system.ts";
import { parseConfiguration, type Configuration } from "./configuration.ts";
import { checkIsolation, readKernel } from "./confinement/kernel.ts";
import { registryPorts } from "./confinement/policy.ts";
import { openContainers, type ContainerLimits } from "./containers/containers.ts";
import { watchContainers } from "./containers/watch.ts";
import { openImageStore } from "./images/image-store.ts";
import { keepModes, modesOf } from "./kept-modes.ts";
import { newMetrics } from "./metrics.ts";
import { newProbesServer } from "./probes.ts";
import { openStoreDirectory } from "./state.ts";
import { lockState } from "./state-lock.ts";
import { readToolchains } from "./toolchain.ts";
import { newLog, reasonOf, type Log } from "../core/process/log.ts";
import { version } from "../core/process/version.ts";

const now = (): Date => new Date();

/** Variables of this environment that builds inherit; chaincode inherits none. */
const buildVariables =
  /^(npm_config_.*|GO(PROXY|SUMDB|PRIVATE|NOPROXY|NOSUMDB|FLAGS|INSECURE)|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|MAVEN_(OPTS|ARGS)|GRADLE_OPTS)$/i;

/** For the owner, and for the group, which peers have. */
const socketMode = 0o660;

/** Runs until a signal ends the process. */
async function run(configuration: Configuration, log: Log): Promise<void> {
  // First of all: process 1 of a container has no default action for a signal.
  const signalled = endingSignal();
  const ending = new AbortController();
  void signalled.then(() => ending.abort());
  const [kernel, lock] = await Promise.all([
    readKernel(configuration.confine),
    lockState({ confine: configuration.confine, state: configuration.state, log }, ending.signal),
  ]);
  if (lock === undefined) return;
  checkIsolation(kernel, configuration.isolation);
  for (const missing of kernel.missing) log.warn("chaincode is not fully confined", { missing });
  const metrics = newMetrics(version);
  metrics.unconfined(kernel.missing.length);

  const limits = limitsOf(configuration);
  const toolchains = await readToolchains(configuration.toolchains);
  const storeDirectory = await openStoreDirectory(configuration.state);
  const store = await openImageStore(storeDirectory, {
    limits: limits.archive,
    quota: () => configuration.imageLimit,
  });
  const buildEnvironment = inherited(process.env);
  const containers = await openContainers({
    directory: configuration.state,
    confine: configuration.confine,
    isolation: configuration.isolation,
    store,
    toolchains,
    limits,
    buildEnvironment,
    buildPorts: registryPorts(configuration.registryPorts, buildEnvironment),
    path: process.env["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
    now,
    log,
    metrics,
  });
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const shared = { store, toolchains, containers, architecture };
  const routes = [
    ...systemRoutes({ ...shared, version, kernel }),
    ...diskUsageRoutes({ ...shared, now }),
    ...imageRoutes({ ...shared, limits: limits.archive, now, log }),
    ...containerRoutes({ containers, limits: limits.archive, now }),
  ];
  const api = newApiServer({ routes, containers, log });
  const probes = newProbesServer(() => (ending.signal.aborted ? "shutting down" : undefined), metrics);
  await listen(probes, configuration.probesPort);
  await rm(configuration.socket, { force: true });
  await listen(api, configuration.socket);
  await chmod(configuration.socket, socketMode);
  log.info("listening", {
    version,
    socket: configuration.socket,
    probesPort: portOf(probes),
    isolation: configuration.isolation,
    landlock: kernel.landlock,
    toolchains: toolchains.all.map(({ name }) => name).join(","),
    images: store.list().length,
  });
  const folders = (await readdir(storeDirectory, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const inStore = folders.map(({ name }) => join(storeDirectory, name));
  const kept = await modesOf([configuration.socket, configuration.state, storeDirectory, ...inStore]);
  const background = watchContainers(
    {
      containers: () => containers.list(),
      limits,
      log,
      measured: (measured) => {
        metrics.measured(measured, store.list().length, store.used(), containers.prepared());
        void keepModes(kept, log);
      },
    },
    ending.signal,
  );

  log.info("ending", { signal: await signalled });
  ending.abort();
  api.close();
  await containers.close();
  api.closeAllConnections();
  probes.close();
  probes.closeAllConnections();
  await background;
  await rm(configuration.socket, { force: true });
  lock.release();
  log.info("ended");
}

function limitsOf(configuration: Configuration): ContainerLimits {
  return {
    running: configuration.maxRunning,
    memory: configuration.memoryLimit,
    disk: configuration.diskLimit,
    threads: configuration.threadLimit,
    process: {
      dataBytes: configuration.memoryLimit,
      fileBytes: configuration.diskLimit,
      // The kernel counts all threads of this user on the node, those of other Pods, too.
      tasks: configuration.threadLimit * 8,
      openFiles: 65_536,
      cpuSeconds: configuration.buildSeconds,
    },
    archive: { bytes: configuration.diskLimit, entries: 200_000 },
    output: 256 * 1024,
    images: configuration.imageLimit,
  };
}

function inherited(environment: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const entries = Object.entries(environment).filter(([name]) => buildVariables.test(name));
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

async function listen(server: Server, where: string | number): Promise<void> {
  server.listen(where);
  await once(server, "listening");
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : undefined;
}

function endingSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  return promise;
}

const log = newLog((line) => process.stdout.write(line), now);

async function main(): Promise<void> {
  try {
    await run(parseConfiguration(process.argv.slice(2)), log);
  } catch (thrown) {
    log.error("cannot run", { reason: reasonOf(thrown) });
    // What listens already would keep it alive, with probes that say all is well.
    process.exit(1);
  }
}

void main();
