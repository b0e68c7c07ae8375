import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { FabricError } from "../../error.ts";
import { readFileIfAny } from "../../fabric/package/chaincode-folder.ts";
import { readNodeManifest, type NodeManifest } from "../../fabric/package/node-manifest.ts";
import type { Bundle } from "../../fabric/package/node-source.ts";
import type { Remedy } from "../../remedy.ts";
import { isOfPackages, lockedPackages, type LockedPackages, type NoBundle } from "./npm-lock.ts";

export interface BundleOptions {
  /** true: there has to be one; false: none; undefined: where there can be one. */
  readonly bundle?: boolean | undefined;
  readonly notice?: ((text: Remedy) => void) | undefined;
}

/** What is to be installed for a folder. */
export interface BundlePlan extends LockedPackages {
  readonly folder: string;
  readonly lockFile: string;
  readonly asked: boolean;
}

/** npm reads the first that is there (docs.npmjs.com/cli/configuring-npm/npm-shrinkwrap-json). */
const lockFiles = ["npm-shrinkwrap.json", "package-lock.json"];

/** Whether a folder of Node chaincode gets a bundle. Throws `usage` where one is asked for that cannot be. */
export async function bundlePlan(folder: string, { bundle, notice }: BundleOptions): Promise<BundlePlan | undefined> {
  if (bundle === false) return undefined;
  const asked = bundle === true;
  const manifest = await readNodeManifest(folder);
  const planned = await planFor(folder, manifest, asked);
  if (planned === undefined || "folders" in planned) return planned;
  if (asked) {
    throw new FabricError("usage", `expected a folder whose dependencies npm can bundle, found ${folder}`, {
      hint: [
        "not bundled: ",
        ...parts(planned.because),
        "; ",
        { setting: "bundle", to: false },
        " packs node_modules as they lie",
      ],
    });
  }
  if (planned.isNews) notice?.(["not bundled: ", ...parts(planned.because)]);
  return undefined;
}

const parts = (remedy: Remedy) => (Array.isArray(remedy) ? remedy : [remedy as string]);

async function planFor(
  folder: string,
  manifest: NodeManifest,
  asked: boolean,
): Promise<BundlePlan | NoBundle | undefined> {
  const { dependencies = {}, optionalDependencies = {} } = manifest;
  if (Object.keys({ ...dependencies, ...optionalDependencies }).length === 0) return undefined;
  for (const lockFile of lockFiles) {
    const text = await readFileIfAny(join(folder, lockFile));
    if (text === undefined) continue;
    const found = lockedPackages(text.toString("utf8"), manifest, asked);
    return "folders" in found ? { folder, lockFile, asked, ...found } : found;
  }
  return { because: await otherLock(folder) };
}

/** What to do where there is no lock file of npm's in the folder. */
async function otherLock(folder: string): Promise<string> {
  if (await readFileIfAny(join(folder, "pnpm-lock.yaml")))
    return "it has a lock file of pnpm: pnpm install --prod --node-linker=hoisted, then package it as it lies";
  if (await readFileIfAny(join(folder, "yarn.lock")))
    return 'it has a lock file of yarn: yarn install with "nodeLinker: node-modules", then package it as it lies';
  for (let above = dirname(resolve(folder)); above !== dirname(above); above = dirname(above)) {
    for (const name of [...lockFiles, "pnpm-lock.yaml", "yarn.lock"]) {
      if ((await readFileIfAny(join(above, name))) && (await readFileIfAny(join(above, "package.json"))))
        return `its lock file lies in ${above}, for all of a workspace: npm install --no-workspaces --package-lock-only, in ${folder}, makes one of its own`;
    }
  }
  return "it has no lock file: npm install --package-lock-only";
}

/** A bundle in which there is nothing yet: to check the rest of the folder. */
export const emptyBundle = (folder: string): Bundle => ({ folder, has: () => false });

/**
 * Installs the production dependencies of a lock file into a temporary copy, for Linux, and hands them to `use`. Nothing of the folder
 * changes, and the copy is removed in any case. Undefined where npm is not there, and nobody asked for a bundle. Throws `usage` when npm fails.
 */
export async function withBundle<T>(
  plan: BundlePlan,
  use: (bundle: Bundle) => Promise<T>,
  notice: BundleOptions["notice"],
  signal: AbortSignal,
): Promise<T | undefined> {
  const folder = await mkdtemp(join(tmpdir(), "kubectl-fabric-bundle-"));
  // A second Ctrl-C ends the program at once, and the copy may have the token of an .npmrc.
  const removeNow = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", removeNow);
  try {
    for (const name of ["package.json", plan.lockFile, ".npmrc"]) {
      if (await readFileIfAny(join(plan.folder, name))) await copyFile(join(plan.folder, name), join(folder, name));
    }
    const soon = setTimeout(
      () => notice?.(`npm installs ${plan.folders.size} packages of ${plan.lockFile}, for the package alone`),
      1000,
    );
    const ran = await npmCi(folder, signal).finally(() => clearTimeout(soon));
    signal.throwIfAborted();
    if (ran === undefined) {
      if (!plan.asked) {
        notice?.("not bundled: there is no npm on the PATH; with one, the package ID is another");
        return undefined;
      }
      throw new FabricError("usage", "cannot run npm ci", { hint: "is npm on the PATH?" });
    }
    if (ran.code !== 0) throw failed(plan, `exit code ${ran.code}: ${ran.lastLines}`);
    await checkInstalled(plan, folder);
    if (plan.ofProcessor.length > 0) notice?.(`bundled for x64: ${plan.ofProcessor.join(", ")}`);
    return await use({ folder, has: (path) => isOfPackages(plan.folders, path) });
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    process.off("exit", removeNow);
  }
}

async function checkInstalled(plan: BundlePlan, folder: string): Promise<void> {
  for (const path of plan.needed) {
    if (await readFileIfAny(join(folder, path, "package.json"))) continue;
    throw failed(plan, `no ${path}, of ${plan.lockFile}`);
  }
}

const failed = ({ folder }: BundlePlan, found: string): FabricError =>
  new FabricError("usage", `expected npm ci to install what ${folder} needs, found ${found}`, {
    hint: [{ setting: "bundle", to: false }, " packs node_modules as they lie"],
  });

/** For the image that chaincode is built in (fabric-nodeenv is an Alpine Linux), whatever this machine is. */
const npmOptions = [
  "--omit=dev --ignore-scripts --os=linux --cpu=x64 --libc=musl --install-strategy=hoisted --package-lock",
  "--prefer-offline --no-audit --no-fund --no-progress --no-update-notifier --loglevel=error",
].flatMap((line) => line.split(" "));

/** Its exit code and last words; undefined where there is no npm. Ends only when npm has ended: it writes until then. */
async function npmCi(folder: string, signal: AbortSignal) {
  // npm is a script on Windows, which only a shell runs; there is nothing of the user's in the words.
  const shell = process.platform === "win32";
  const child = spawn("npm", ["ci", ...npmOptions], { cwd: folder, shell, stdio: ["ignore", "pipe", "pipe"] });
  const stop = () => void child.kill();
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      text = `${text}${chunk}`.slice(-4000);
    });
  }
  try {
    return await new Promise<{ readonly code: number | null; readonly lastLines: string } | undefined>((done, fail) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") done(undefined);
        else fail(error);
      });
      child.once("close", (code) => done({ code, lastLines: lastLines(text) }));
    });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Without the path of npm's own log. */
const lastLines = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.replace(/^npm (error|ERR!) ?/, "").trim())
    .filter((line) => line !== "" && !line.includes("complete log"))
    .slice(-5)
    .join("; ");
