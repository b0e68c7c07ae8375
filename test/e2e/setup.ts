import type { TestProject } from "vitest/node";
import { newProgress } from "../sandbox/progress.ts";
import { sandboxDown, sandboxImage, sandboxUp } from "../sandbox/sandbox.ts";

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
const cancel = new AbortController();
let ours = true;
let ended: Promise<void> | undefined;

/** Brings the sandbox up before the first test. */
export async function setup(project: TestProject): Promise<void> {
  process.once("SIGINT", () => void interrupted());
  process.once("SIGTERM", () => void interrupted());
  const options = { progress, signal: cancel.signal };
  const sandbox = await sandboxUp(options);
  ours = !sandbox.alreadyUp;
  const { kubeconfig, binDir, cacheDir, fabricVersions } = sandbox;
  const nodeenvArchive = await sandboxImage("fabric-nodeenv", options);
  process.env["KUBECONFIG"] = kubeconfig;
  project.provide("sandbox", { kubeconfig, binDir, cacheDir, fabricVersions, nodeenvArchive });
}

/** Takes it down after the last one, unless somebody else had it up already. */
export async function teardown(): Promise<void> {
  if (!ours) return;
  ended ??= sandboxDown({ progress });
  await ended;
}

async function interrupted(): Promise<void> {
  cancel.abort();
  try {
    await teardown();
  } finally {
    process.exit(130);
  }
}
