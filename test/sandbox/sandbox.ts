import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { FabricError } from "../../core/error.ts";
import { buildEmulator } from "../emulator/build.ts";
import { boot } from "./boot.ts";
import { componentNames } from "./components.ts";
import { findReleases } from "./fabric-release.ts";
import { exists, readMemory, writeMemory } from "./freshness.ts";
import { catalogue, emulatorBundle, essentialImages, type CatalogueEntry } from "./images/catalogue.ts";
import { loadArchive } from "./images/load.ts";
import { archiveOf, keptImages, makeImage, type MakeContext } from "./images/make.ts";
import { newLayout, type Layout } from "./layout.ts";
import { takeLock } from "./lock.ts";
import { inspectMachine, requireLinuxRoot } from "./machine.ts";
import { installPackages } from "./packages.ts";
import { buildPrograms } from "./programs.ts";
import { silent, type Progress } from "./progress.ts";
import { inspectSandbox, type SandboxStatus } from "./status.ts";
import { isRunning } from "./supervise.ts";
import { teardown } from "./teardown.ts";

export interface SandboxOptions {
  readonly progress?: Progress;
  readonly signal?: AbortSignal | undefined;
  /** Names of images to make and load beside the essential ones; all that can be made when absent. */
  readonly images?: readonly string[] | undefined;
  /** What an earlier cluster has left is not taken up again, unless that one is up: namespaces, volumes, half a control plane. */
  readonly anew?: boolean;
  readonly environment?: NodeJS.ProcessEnv;
}

export interface Sandbox {
  readonly kubeconfig: string;
  /** kubectl, ctr and the cluster's programs. */
  readonly binDir: string;
  readonly cacheDir: string;
  /** Releases whose images are loaded, such as 3.1.5. */
  readonly fabricVersions: readonly string[];
  /** Whether it was up when asked for: who did not start it should not stop it. */
  readonly alreadyUp: boolean;
  /** The path of an image's docker-archive, made if need be; by the names that `status` lists, or `fabric-nodeenv`. */
  imageArchive(name: string): Promise<string>;
}

const repository = resolve(import.meta.dirname, "../..");

/**
 * Brings the sandbox up, building what is missing. Idempotent: restarts only what died.
 * Throws FabricError when the machine lacks something, with a hint for each.
 */
export async function sandboxUp(options: SandboxOptions = {}): Promise<Sandbox> {
  const { progress = silent, signal, environment = process.env } = options;
  const layout = newLayout(environment);
  const machine = inspectMachine();
  return locked("up", options, async () => {
    const alreadyUp = componentNames.every((name) => isRunning(layout, name));
    if (options.anew && !alreadyUp && (await exists(layout.state))) {
      progress.say("removing what an earlier sandbox has left");
      await teardown(layout, progress);
    }
    await installPackages(progress, signal);
    await buildPrograms("node", layout, progress, signal);
    await buildPrograms("containerd", layout, progress, signal);
    const releases = await findReleases(environment);
    await buildEmulator(emulatorBundle(layout));
    const chosen = chooseImages(catalogue(layout, releases, repository), options.images);
    await makeImages(chosen, layout, progress, signal);
    if (!alreadyUp) tellAbsent(chosen, options, progress);
    const names = new Set(chosen.filter(({ recipe }) => recipe.loaded).map(({ recipe }) => recipe.name));
    const images = (await keptImages(layout)).filter(({ name }) => names.has(name));
    await boot({ layout, machine, images, progress, signal });
    return {
      kubeconfig: layout.kubeconfig,
      binDir: layout.bin,
      cacheDir: layout.cache,
      fabricVersions: releases.map(({ version }) => version),
      alreadyUp,
      imageArchive: (name) => sandboxImage(name, options),
    };
  });
}

/** Takes the sandbox down, whatever state it is in; with `purge` removes all that was ever built, too. */
export async function sandboxDown(options: SandboxOptions & { readonly purge?: boolean } = {}): Promise<void> {
  const { progress = silent, environment = process.env } = options;
  requireLinuxRoot(process.platform, process.getuid?.());
  const layout = newLayout(environment);
  await locked("down", options, async () => {
    await teardown(layout, progress);
    if (options.purge) await rm(layout.cache, { recursive: true, force: true });
  });
}

export async function sandboxStatus(environment: NodeJS.ProcessEnv = process.env): Promise<SandboxStatus> {
  return inspectSandbox(newLayout(environment), await findReleases(environment));
}

/** Makes one image if need be. Gives the path of its docker-archive, for `docker load` or `sandbox load`. */
export async function sandboxImage(name: string, options: SandboxOptions = {}): Promise<string> {
  const { progress = silent, signal, environment = process.env } = options;
  requireLinuxRoot(process.platform, process.getuid?.());
  const layout = newLayout(environment);
  return locked(`image ${name}`, options, async () => {
    const entries = catalogue(layout, await findReleases(environment), repository);
    await installPackages(progress, signal);
    await makeImages(chooseImages(entries, [name], []), layout, progress, signal);
    return archiveOf(layout, name);
  });
}

/** Brings any archive of `docker save` into the running cluster. */
export async function sandboxLoad(archive: string, options: SandboxOptions = {}): Promise<void> {
  requireLinuxRoot(process.platform, process.getuid?.());
  const layout = newLayout(options.environment);
  if (!isRunning(layout, "containerd")) {
    throw new FabricError("not-ready", "expected the sandbox to be up, found it down", {
      hint: "npm run sandbox -- up",
    });
  }
  await loadArchive(layout, resolve(archive), options.signal);
}

export function sandboxKubeconfig(environment: NodeJS.ProcessEnv = process.env): string {
  return newLayout(environment).kubeconfig;
}

/** The images of these names. Throws `not-found` when a name is not in the catalogue. */
export function chooseImages(
  entries: readonly CatalogueEntry[],
  names: readonly string[] | undefined,
  always: readonly string[] = essentialImages,
): readonly CatalogueEntry[] {
  if (names === undefined) return entries.filter(({ recipe }) => recipe.loaded);
  const known = entries.map(({ recipe }) => recipe.name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw unknownImage(unknown, known);
  return entries.filter(({ recipe }) => names.includes(recipe.name) || always.includes(recipe.name));
}

function unknownImage(name: string, known: readonly string[]): FabricError {
  const why = {
    webhook: "npm run build makes what is in it",
    plugin: "npm run build makes what is in it",
    "fabric-": "FABRIC_HOME names the release it is made of",
  };
  const hint = Object.entries(why).find(([prefix]) => name.startsWith(prefix))?.[1];
  return new FabricError("not-found", `expected one of ${known.join(", ")}; found ${name}`, { hint });
}

async function makeImages(
  entries: readonly CatalogueEntry[],
  layout: Layout,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const memoryFile = join(layout.cache, "file-keys.json");
  const memory = await readMemory(memoryFile);
  const known = memory.size;
  const context: MakeContext = { layout, memory, progress, signal };
  for (const entry of entries) await makeImage(entry, context);
  if (memory.size !== known) await writeMemory(memoryFile, memory);
}

/** What a newcomer may miss, and why it is not there. */
function tellAbsent(chosen: readonly CatalogueEntry[], { images }: SandboxOptions, progress: Progress): void {
  if (images !== undefined) return;
  const names = chosen.map(({ recipe }) => recipe.name);
  if (!names.includes("webhook")) progress.say("no webhook image: npm run build makes what is in it");
  if (!names.some((name) => name.startsWith("fabric-peer") && name !== "fabric-peer-emulator")) {
    progress.say("no release of Fabric in FABRIC_HOME or /opt/hyperledger-fabric: only the emulator's images");
  }
}

async function locked<T>(purpose: string, options: SandboxOptions, work: () => Promise<T>): Promise<T> {
  const { progress = silent, signal, environment } = options;
  const layout = newLayout(environment);
  const lock = await takeLock(
    purpose,
    (owner) => progress.say(`waiting for another sandbox command: ${owner}`),
    signal,
  );
  try {
    await rm(layout.work, { recursive: true, force: true }); // of one that was killed
    await mkdir(layout.cache, { recursive: true });
    return await work();
  } finally {
    await lock.release();
  }
}
