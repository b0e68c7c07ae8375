import { spawn } from "node:child_process";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { newProgress } from "../sandbox/progress.ts";
import { sandboxDown, sandboxImage, sandboxStatus, sandboxUp } from "../sandbox/sandbox.ts";

/** What end-to-end tests know of the cluster; KUBECONFIG is set for them, too. */
export interface SandboxFacts {
  readonly kubeconfig: string;
  readonly binDir: string;
  readonly cacheDir: string;
  /** Releases whose images the cluster has, such as 3.1.5. */
  readonly fabricVersions: readonly string[];
  /** docker-archive of hyperledger/fabric-nodeenv, for `docker load` in a DinD daemon. */
  readonly nodeenvArchive: string;
}

declare module "vitest" {
  export interface ProvidedContext {
    sandbox: SandboxFacts;
  }
}

const progress = newProgress((line) => process.stderr.write(line));
/** Whether there is something that we started and have not ended. */
let ours = false;

/** Brings the sandbox up before the first test. */
export async function setup(project: TestProject): Promise<void> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));
  process.once("exit", leave);
  const options = { progress };
  ours = (await sandboxStatus()).state !== "up";
  const { kubeconfig, binDir, cacheDir, fabricVersions } = await sandboxUp(options);
  const nodeenvArchive = await sandboxImage("fabric-nodeenv", options);
  process.env["KUBECONFIG"] = kubeconfig;
  project.provide("sandbox", { kubeconfig, binDir, cacheDir, fabricVersions, nodeenvArchive });
}

/** Takes it down after the last one, unless somebody else had it up already. */
export async function teardown(): Promise<void> {
  if (!ours) return;
  await sandboxDown({ progress });
  ours = false;
}

/**
 * Vitest ends itself on Ctrl-C without waiting for anybody: another process takes the sandbox down, as soon as
 * this one has let go of its lock.
 */
function leave(): void {
  if (!ours) return;
  process.stderr.write("taking the sandbox down\n");
  const main = join(import.meta.dirname, "../sandbox/main.ts");
  spawn(process.execPath, [main, "down"], { detached: true, stdio: ["ignore", "inherit", "inherit"] }).unref();
}
