// From nothing to a transaction, each step as a newcomer would type it.
import type { Command } from "commander";
import { build } from "../../build/main.ts";
import type { Lifetime } from "../../build/lifetime.ts";
import { formatDuration } from "../../plugin/terminal/duration.ts";
import { runScript, scriptCommand } from "../../build/script.ts";
import { requireFreshCluster } from "../fresh-cluster.ts";
import { findReleases } from "../sandbox/fabric-release.ts";
import { requireLinuxRoot } from "../sandbox/machine.ts";
import { newProgress } from "../sandbox/progress.ts";
import { sandboxDown, sandboxStatus, sandboxUp, type Sandbox } from "../sandbox/sandbox.ts";
import { foreignPeer, removeForeignPeer } from "./foreign-peer.ts";
import { newShell, type Shell } from "./shell.ts";

interface DemoOptions {
  readonly context?: string;
  readonly fabricVersion?: string;
  readonly keep: boolean;
}

const examples = `
It builds a sandbox (npm run sandbox -- --help), installs the webhook, bootstraps a network, deploys chaincode, runs a transaction, and
takes somebody else's peer off docker.sock. About 4 minutes; 15 more the first time, when Kubernetes is built. At the end, and when it
is stopped, it removes what it made.

Examples:
  npm run demo                                   on this Linux machine, as root
  npm run demo -- --fabric-version 2.5           with that release of Fabric, from FABRIC_HOME
  npm run demo -- --context kind-kind --keep     on a cluster of yours`;

function demoCommand(lifetime: Lifetime): Command {
  return scriptCommand("npm run demo --")
    .description("From nothing to a transaction, each step as a newcomer would type it.")
    .option("--context <name>", "on this cluster of your kubeconfig, with public images, instead of a sandbox")
    .option("--fabric-version <tag>", "of Fabric's images: 3.1 and 2.5 where such a release is there (FABRIC_HOME)")
    .option("--keep", "leave everything up at the end", false)
    .addHelpText("after", examples)
    .action((options: DemoOptions) => demo(lifetime, options));
}

const progress = newProgress((line) => process.stderr.write(line));

async function step<T>(title: string, action: () => Promise<T>): Promise<T> {
  console.log(`\n## ${title}`);
  const started = performance.now();
  const result = await action();
  console.log(`   (${formatDuration(performance.now() - started)})`);
  return result;
}

/** A demo that runs. */
interface Stage {
  readonly options: DemoOptions;
  readonly shell: Shell;
  readonly version: string;
  readonly sandbox: Sandbox | undefined;
}

async function demo(lifetime: Lifetime, options: DemoOptions): Promise<void> {
  const began = performance.now();
  const releases = options.context === undefined ? (await findReleases()).map(({ version }) => version) : [];
  const version = fabricVersion(options, releases);
  console.log(`Fabric's peers and orderers: ${describeFabric(options, version, releases)}`);
  if (options.context !== undefined) await requireFreshCluster(options.context, lifetime.signal);
  await build(lifetime);
  const sandbox = options.context === undefined ? await startSandbox(lifetime, options) : undefined;
  if (options.context !== undefined)
    await lifetime.begin(
      () => {},
      () => cleanCluster(lifetime, options),
    );
  const env = { ...process.env, ...(sandbox && { KUBECONFIG: sandbox.kubeconfig }) };
  const shell = await lifetime.begin(
    () => newShell(env, sandbox?.binDir, lifetime.signal),
    (begun) => begun.close(),
  );
  await fabricNetwork({ options, shell, version, sandbox });
  await foreignPeer(shell, { flags: () => flags(options), version, step });
  console.log(`\nAll of it took ${formatDuration(performance.now() - began)}.`);
}

/** Whatever happens, and however far it comes: nothing keeps running that was not running before. */
async function startSandbox(lifetime: Lifetime, { keep }: DemoOptions): Promise<Sandbox> {
  requireLinuxRoot(process.platform, process.getuid?.());
  const { state: before, kubeconfig } = await sandboxStatus();
  await lifetime.begin(
    () => {},
    async () => {
      if (keep && !lifetime.signal.aborted) {
        console.log(`\nLeft up. export KUBECONFIG=${kubeconfig}; later: npm run sandbox -- down`);
      } else if (before !== "up") {
        await step("Everything goes", () => sandboxDown({ progress }));
      } else {
        console.log("\nThe sandbox was up before: it stays up, with the demo's network in it.");
      }
    },
  );
  return step("A real Kubernetes on this machine, built from Go modules and Debian packages", () =>
    sandboxUp({ progress, signal: lifetime.signal, anew: true }),
  );
}

/** What the demo says first: nobody is to take the emulator for Fabric. */
function describeFabric(options: DemoOptions, version: string, releases: readonly string[]): string {
  if (options.context !== undefined) return `public images, tag ${version}`;
  if (version !== "emulator") return `a real release (found: ${releases.join(", ")}; used: ${version})`;
  return `the project's emulator. It speaks like Fabric to its clients and is not Fabric.
For the real thing unpack a release of Fabric (bin/ config/ builders/) and name it in FABRIC_HOME.`;
}

function fabricVersion(options: DemoOptions, releases: readonly string[]): string {
  if (options.fabricVersion !== undefined) return options.fabricVersion;
  if (options.context !== undefined) return "3.1";
  const newest = releases.at(-1);
  return newest === undefined ? "emulator" : newest.split(".").slice(0, 2).join(".");
}

async function fabricNetwork({ options, shell: sh, version, sandbox }: Stage): Promise<void> {
  const fabric = `kubectl fabric${flags(options)}`;
  await step("The webhook: it gives annotated peers a Docker daemon of their own", () =>
    sh.run(`${fabric} webhook install`),
  );
  await step("A network: an orderer organization, two peer organizations, a namespace each", () =>
    sh.run(`${fabric} init --fabric-version ${version}`),
  );
  await step("A channel", () => sh.run(`${fabric} join mychannel`));
  await step("Chaincode, built by each peer in its own Pod", async () => {
    await sh.read("npm ci --silent --prefix test/chaincode/asset-transfer");
    const archive = await sandbox?.imageArchive("fabric-nodeenv");
    const load = archive === undefined ? "" : ` --load-image ${archive}`;
    await sh.run(`${fabric} deploy-cc asset --path test/chaincode/asset-transfer --channel mychannel${load}`);
  });
  const id = `a${Date.now()}`;
  await step("A transaction, and what it left", async () => {
    await sh.run(`${fabric} invoke asset CreateAsset ${id} tom 100 --channel mychannel`);
    await sh.run(`${fabric} query asset ReadAsset ${id} --channel mychannel --org org2`);
    await sh.run(`${fabric} status`);
  });
  await step("Where the chaincode lives: in the peer's own Pod, and it dials localhost", async () => {
    const exec = `kubectl${flags(options)} -n org1 exec peer0-0 -c kubectl-fabric-dind --`;
    await sh.run(`${exec} docker ps --format '{{.Names}}  {{.Status}}' | cut -c1-100`);
    await sh.run(
      `${exec} sh -c 'docker inspect --format "{{.Config.Cmd}} network={{.HostConfig.NetworkMode}}" $(docker ps -q)'`,
    );
  });
}

function flags({ context }: DemoOptions): string {
  return context === undefined ? "" : ` --context ${context}`;
}

/** Of a cluster that is not ours. */
async function cleanCluster({ signal }: Lifetime, options: DemoOptions): Promise<void> {
  if (options.keep && !signal.aborted) {
    console.log("\nLeft up. Later: kubectl fabric down");
    return;
  }
  // The signal that stopped the demo must not stop its cleaning.
  const sh = await newShell(process.env, undefined, new AbortController().signal);
  try {
    await removeForeignPeer(sh, () => flags(options));
    await sh.run(`kubectl fabric${flags(options)} down --yes`);
    await sh.run(`kubectl fabric${flags(options)} webhook uninstall --yes`);
  } finally {
    await sh.close();
  }
}

await runScript({
  command: demoCommand,
  leftovers: () =>
    "npm run sandbox -- down removes the sandbox. On a cluster of yours: kubectl delete namespace legacy; kubectl fabric down; " +
    "kubectl fabric webhook uninstall.",
});
