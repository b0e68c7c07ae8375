// From nothing to a transaction, each step as a newcomer would type it.
import { parseArgs } from "node:util";
import { FabricError, messageOf } from "../../plugin/error.ts";
import { formatDuration } from "../../plugin/terminal/duration.ts";
import { findReleases } from "../sandbox/fabric-release.ts";
import { newProgress } from "../sandbox/progress.ts";
import { sandboxDown, sandboxUp, type Sandbox } from "../sandbox/sandbox.ts";
import { foreignPeer, removeForeignPeer } from "./foreign-peer.ts";
import { newShell, type Shell } from "./shell.ts";

const { values: options } = parseArgs({
  options: {
    context: { type: "string" },
    "fabric-version": { type: "string" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (options.help) {
  console.log(`Usage: npm run demo -- [--context NAME] [--fabric-version TAG] [--keep]

  --context NAME        on this cluster of your kubeconfig, with public images, instead of a sandbox
  --fabric-version TAG  of Fabric's images: 3.1 and 2.5 where such a release is there (FABRIC_HOME)
  --keep                leave everything up at the end

Example: npm run demo -- --context kind-kind --keep`);
  process.exit(0);
}

const interrupt = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => interrupt.abort(new FabricError("interrupted", `stopped by ${name}`)));
}
const { signal } = interrupt;
const began = performance.now();
const progress = newProgress((line) => process.stderr.write(line));

async function step<T>(title: string, action: () => Promise<T>): Promise<T> {
  console.log(`\n## ${title}`);
  const started = performance.now();
  const result = await action();
  console.log(`   (${formatDuration(performance.now() - started)})`);
  return result;
}

let sandbox: Sandbox | undefined;
let shell: Shell | undefined;
try {
  await demo();
  console.log(`\nAll of it took ${formatDuration(performance.now() - began)}.`);
} catch (error) {
  console.error(`\nerror: ${messageOf(error)}`);
  if (error instanceof FabricError && error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = signal.aborted ? 130 : 1;
} finally {
  await cleanUp().catch((error: unknown) => {
    console.error(`error: not everything was cleaned up: ${messageOf(error)}`);
    process.exitCode ||= 1;
  });
}

async function demo(): Promise<void> {
  const releases = options.context === undefined ? (await findReleases()).map(({ version }) => version) : [];
  const version = fabricVersion(releases);
  console.log(`Fabric's peers and orderers: ${describeFabric(version, releases)}`);
  if (options.context === undefined) {
    sandbox = await step("A real Kubernetes on this machine, built from Go modules and Debian packages", () =>
      sandboxUp({ progress, signal }),
    );
  }
  const env = { ...process.env, ...(sandbox && { KUBECONFIG: sandbox.kubeconfig }) };
  shell = await newShell(env, sandbox?.binDir, signal);
  await fabricNetwork(shell, version);
  await foreignPeer(shell, { flags, version, step });
}

/** What the demo says first: nobody is to take the emulator for Fabric. */
function describeFabric(version: string, releases: readonly string[]): string {
  if (options.context !== undefined) return `public images, tag ${version}`;
  if (version !== "emulator") return `a real release (found: ${releases.join(", ")}; used: ${version})`;
  return `the project's emulator. It speaks like Fabric to its clients and is not Fabric.
For the real thing unpack a release of Fabric (bin/ config/ builders/) and name it in FABRIC_HOME.`;
}

function fabricVersion(releases: readonly string[]): string {
  if (options["fabric-version"] !== undefined) return options["fabric-version"];
  if (options.context !== undefined) return "3.1";
  const newest = releases.at(-1);
  return newest === undefined ? "emulator" : newest.split(".").slice(0, 2).join(".");
}

async function fabricNetwork(sh: Shell, version: string): Promise<void> {
  const fabric = `kubectl fabric${flags()}`;
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
    const exec = `kubectl${flags()} -n org1 exec peer0-0 -c kubectl-fabric-dind --`;
    await sh.run(`${exec} docker ps --format '{{.Names}}  {{.Status}}' | cut -c1-100`);
    await sh.run(
      `${exec} sh -c 'docker inspect --format "{{.Config.Cmd}} network={{.HostConfig.NetworkMode}}" $(docker ps -q)'`,
    );
  });
}

function flags(): string {
  return options.context === undefined ? "" : ` --context ${options.context}`;
}

/** Whatever happened, and however far it came: nothing keeps running that was not running before. */
async function cleanUp(): Promise<void> {
  await shell?.close();
  if (options.keep && !signal.aborted) {
    console.log(
      `\nLeft up. ${sandbox ? `export KUBECONFIG=${sandbox.kubeconfig}; later: npm run sandbox -- down` : "Later: kubectl fabric down"}`,
    );
    return;
  }
  if (options.context === undefined) {
    if (sandbox?.alreadyUp) console.log("\nThe sandbox was up before: it stays up, with the demo's network in it.");
    else await step("Everything goes", () => sandboxDown({ progress }));
    return;
  }
  // The signal that stopped the demo must not stop its cleaning.
  const sh = await newShell(process.env, undefined, new AbortController().signal);
  try {
    await removeForeignPeer(sh, flags);
    await sh.run(`kubectl fabric${flags()} down --yes`);
    await sh.run(`kubectl fabric${flags()} webhook uninstall`);
  } finally {
    await sh.close();
  }
}
