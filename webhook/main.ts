import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { newAdmissionApp } from "./admission.ts";
import { newClusterStore } from "./certificates/cluster-store.ts";
import { issuer } from "./certificates/issue.ts";
import { newMountedCertificates } from "./certificates/mounted.ts";
import { newRenewal, type Renewal, type RenewalDependencies } from "./certificates/renewal.ts";
import { newClusterApi, type ClusterApi } from "./cluster-api.ts";
import { newClusterReader } from "./cluster-reader.ts";
import { parseConfiguration, serviceHosts, type Configuration } from "./configuration.ts";
import { loadKubeconfig } from "../core/kubernetes/kubeconfig.ts";
import { gatherLines, newLog, reasonOf, type Log } from "../core/process/log.ts";
import { newMetrics } from "./metrics.ts";
import { newProbesApp } from "./probes.ts";
import { serve, serveTls, type RunningTlsServer } from "./server.ts";
import { openSettings } from "./settings-file.ts";
import { version } from "../core/process/version.ts";

const now = (): Date => new Date();

/** Runs until a signal ends the process. */
async function run(configuration: Configuration, log: Log): Promise<void> {
  // First of all: process 1 of a container has no default action for a signal.
  const signalled = endingSignal();
  const ending = new AbortController();
  const metrics = newMetrics(version);
  const api = newClusterApi(loadKubeconfig());
  const reader = newClusterReader({ api, mtu: await readMtu(), now, log });
  reader.begin();
  const settings = await openSettings(configuration.settings, { log, valid: (is) => metrics.settingsValid(is) });
  const app = newAdmissionApp({
    settings: () => settings.settings(),
    cluster: (namespace) => reader.facts(namespace),
    seconds: () => performance.now() / 1000,
    version,
    metrics,
    log,
  });

  let admission: RunningTlsServer | undefined;
  const certificates = newCertificates(configuration, api, log, {
    serve: async (leaf) => {
      if (admission === undefined) admission = await serveTls(app, configuration.port, leaf);
      else admission.use(leaf);
      log.info("serving a certificate", { port: admission.port });
    },
    renewed: ({ authorityEnds, leafEnds }) => metrics.certificatesEnd(authorityEnds, leafEnds),
  });

  const missing = (): readonly string[] => [
    ...(ending.signal.aborted ? ["shutting down"] : []),
    ...certificates.missing(now()),
  ];
  const readiness = (): readonly string[] => {
    const lines = missing();
    metrics.ready(lines.length === 0);
    return lines;
  };
  const probes = await serve(newProbesApp(readiness, metrics), configuration.probesPort);
  log.info("started", { version, probesPort: probes.port });
  const background = Promise.all([certificates.run(ending.signal), settings.run(ending.signal)]);

  log.info("ending", { signal: await signalled });
  ending.abort();
  await admission?.drain(sleep(configuration.drainMs));
  await background;
  await probes.drain(Promise.resolve());
  log.info("ended");
}

/** Our own certificates, unless a directory of mounted ones is given. */
function newCertificates(
  configuration: Configuration,
  api: ClusterApi,
  log: Log,
  use: Pick<RenewalDependencies, "serve" | "renewed">,
): Renewal {
  const store = newClusterStore(api, configuration);
  const given = { ...use, store, hosts: serviceHosts(configuration), now, log };
  const directory = configuration.certificates;
  if (directory !== undefined) return newMountedCertificates({ ...given, directory });
  return newRenewal({ ...given, issuer, stepped: (step, written) => log.info("certificates", { step, written }) });
}

function endingSignal(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  return promise;
}

/** The MTU of eth0 in bytes. Every Pod has one; undefined on a machine without. */
async function readMtu(): Promise<number | undefined> {
  const text = await readFile("/sys/class/net/eth0/mtu", "utf8").catch(() => "");
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

const lines = gatherLines((text) => process.stdout.write(text));
process.once("exit", () => lines.flush());
const log = newLog((line) => lines.write(line), now);

async function main(): Promise<void> {
  try {
    if (process.argv.includes("--version")) process.stdout.write(`${version}\n`);
    else await run(parseConfiguration(process.argv.slice(2), process.env), log);
  } catch (thrown) {
    log.error("cannot run", { reason: reasonOf(thrown) });
    process.exitCode = 1;
  }
}

void main();
