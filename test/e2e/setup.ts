import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { run } from "../sandbox/command.ts";
import { newProgress } from "../sandbox/progress.ts";
import { sandboxDown, sandboxImage, sandboxStatus, sandboxUp } from "../sandbox/sandbox.ts";
import { newPlugin } from "./plugin-process.ts";

/** What end-to-end tests know of the cluster; KUBECONFIG is set for them, too. */
export interface ClusterFacts {
  readonly kubeconfig: string;
  /** Where its kubectl is; empty for that on the PATH. */
  readonly binDir: string;
  /** Whether its node is this machine: tests may look at its processes and stop its parts. */
  readonly sandbox: boolean;
  /** What plays the peers and orderers, such as 3.1.5 or emulator. */
  readonly fabricVersions: readonly string[];
  /** docker-archive of hyperledger/fabric-nodeenv, for `docker load` in a DinD daemon; absent where daemons can pull it. */
  readonly nodeenvArchive?: string;
  /** An image with Node.js, curl and busybox's commands. */
  readonly nodeImage: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    cluster: ClusterFacts;
  }
}

const progress = newProgress((line) => process.stderr.write(line));
/** Whether there is something that we started and have not ended. */
let ours = false;
/** Somebody else's cluster: its kubeconfig lies here. */
let folder: string | undefined;
/** Whether the webhook is there by us. */
let installed = false;

/** Brings the sandbox up before the first test, unless E2E_CONTEXT names a cluster. */
export async function setup(project: TestProject): Promise<void> {
  process.once("exit", leave);
  const { E2E_CONTEXT: context } = process.env;
  const facts = context === undefined ? await ownCluster() : await clusterOf(context);
  process.env["KUBECONFIG"] = facts.kubeconfig;
  project.provide("cluster", facts);
  installed = true;
  // Those that run alone begin without it.
  await newPlugin().output(["webhook", ...(project.name === "e2e-alone" ? ["uninstall", "--yes"] : ["install"])]);
}

async function ownCluster(): Promise<ClusterFacts> {
  const options = { progress };
  ours = (await sandboxStatus()).state !== "up";
  const { kubeconfig, binDir, fabricVersions } = await sandboxUp({ ...options, anew: true });
  const nodeenvArchive = await sandboxImage("fabric-nodeenv", options);
  const versions = fabricVersions.length === 0 ? ["emulator"] : fabricVersions;
  const nodeImage = "docker.io/local/node:1";
  return { kubeconfig, binDir, sandbox: true, fabricVersions: versions, nodeenvArchive, nodeImage };
}

/** The context alone, so that kubectl, the plugin and its libraries all mean the same cluster. */
async function clusterOf(context: string): Promise<ClusterFacts> {
  const { E2E_FABRIC_VERSION: version = "3.1", E2E_LOAD_IMAGE: archive } = process.env;
  folder = await mkdtemp(join(tmpdir(), "e2e-"));
  const kubeconfig = join(folder, "kubeconfig");
  const view = ["config", "view", "--raw", "--minify", "--flatten", "--context", context];
  await writeFile(kubeconfig, await run("kubectl", view), { mode: 0o600 });
  const nodeenvArchive = archive === undefined ? {} : { nodeenvArchive: archive };
  const nodeImage = "docker.io/library/node:24";
  return { kubeconfig, binDir: "", sandbox: false, fabricVersions: [version], ...nodeenvArchive, nodeImage };
}

/** Takes it down after the last one, unless somebody else had it up already. */
export async function teardown(): Promise<void> {
  if (folder !== undefined) {
    if (installed) await newPlugin().output(["webhook", "uninstall", "--yes"]);
    await rm(folder, { recursive: true, force: true });
  }
  if (!ours) return;
  await sandboxDown({ progress });
  ours = false;
}

/** At once, by a second signal or before the first test: another process takes the sandbox down, as soon as this one has let go of its lock. */
function leave(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true }); // it has credentials
  if (!ours) return;
  process.stderr.write("taking the sandbox down\n");
  const main = join(import.meta.dirname, "../sandbox/main.ts");
  spawn(process.execPath, [main, "down"], { detached: true, stdio: ["ignore", "inherit", "inherit"] }).unref();
}
