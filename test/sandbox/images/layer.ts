import { chmod, copyFile, cp, lstat, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { FabricError } from "../../../core/error.ts";
import { CommandFailure, run } from "../command.ts";
import { exists, keyOf, keyOfFile, type FileMemory } from "../freshness.ts";
import type { Layout } from "../layout.ts";
import type { Progress } from "../progress.ts";
import type { FilePart, LayerRecipe, NpmPart, TreePart } from "./recipe.ts";

/** The suite whose Docker is 20.10: newer ones, and Ubuntu, have others. */
const suite = "bookworm";

/** What no container reads. */
const documentation = ["doc", "man", "locale", "info", "lintian", "bash-completion", "zoneinfo", "i18n", "bug", "menu"];

/** Of a root file system made without running any package's scripts. */
const leftovers = [
  "dev",
  "var/lib/apt",
  "var/lib/dpkg",
  "var/cache",
  "var/log",
  "etc/apt",
  "etc/resolv.conf",
  "etc/hostname",
];

/** Increase it when the way in which layers are made changes. */
const revision = "1";

export async function keyOfLayer(recipe: LayerRecipe, memory: FileMemory): Promise<string> {
  const contents = (recipe.files ?? []).map((file) =>
    "from" in file ? keyOfFile(file.from, memory) : Promise.resolve(""),
  );
  // Where a file comes from differs between machines; what it contains decides.
  const files = (recipe.files ?? []).map((file) => ("from" in file ? { to: file.to, mode: file.mode } : file));
  const trees = recipe.trees?.map(({ to, version, except }) => ({ to, version, except }));
  const parts = JSON.stringify({ ...recipe, files, trees, suite, documentation, leftovers });
  return keyOf(revision, process.arch, parts, ...(await Promise.all(contents)));
}

/** Makes a layer's tar unless it is there: its name holds the key of what it is made from. */
export async function makeLayer(
  recipe: LayerRecipe,
  key: string,
  layout: Layout,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const file = join(layout.layers, `${recipe.name}-${key}.tar`);
  if (await exists(file)) return file;
  await mkdir(layout.layers, { recursive: true });
  await mkdir(layout.work, { recursive: true });
  const work = await mkdtemp(join(layout.work, "layer-"));
  try {
    const root = join(work, "root");
    if (recipe.debian) progress.say(`  from Debian packages: ${recipe.debian.join(", ")}`);
    await fill(root, recipe, work, signal);
    await run("tar", tarArguments(root, `${file}.new`), { signal });
    await removeOlder(layout.layers, recipe.name);
    await rename(`${file}.new`, file);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return file;
}

/** The same bytes for the same files. */
export function tarArguments(root: string, output: string): readonly string[] {
  const same = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"];
  return ["-cf", output, ...same, "-C", root, "."];
}

async function fill(root: string, recipe: LayerRecipe, work: string, signal?: AbortSignal): Promise<void> {
  await mkdir(root, { recursive: true });
  if (recipe.debian) await extractPackages(root, recipe.debian, signal);
  for (const path of recipe.drop ?? []) await rm(join(root, path), { recursive: true, force: true });
  for (const part of recipe.npm ?? []) await extractNpm(root, part, work, signal);
  for (const tree of recipe.trees ?? []) await putTree(root, tree);
  for (const directory of recipe.directories ?? []) await mkdir(join(root, directory), { recursive: true });
  for (const file of recipe.files ?? []) await putFile(root, file);
  for (const [link, target] of Object.entries(recipe.links ?? {})) await putLink(root, link, target);
  if (recipe.busybox) await linkBusybox(root, signal);
}

async function extractPackages(root: string, packages: readonly string[], signal?: AbortSignal): Promise<void> {
  // Extracted, not configured: seconds instead of a minute, and no package manager in the image.
  const options = ["--quiet", "--variant=extract", "--format=directory", '--aptopt=Acquire::Languages "none"'];
  try {
    await run("mmdebstrap", [...options, `--include=${packages.join(",")}`, suite, root], {
      env: { SOURCE_DATE_EPOCH: "0" },
      signal,
    });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new FabricError("connection", `expected Debian packages ${packages.join(", ")}; ${error.message}`, {
      hint: "check that this machine reaches its Debian mirror (http_proxy), then run it again",
      cause: error,
    });
  }
  const unwanted = [...leftovers, ...documentation.map((name) => `usr/share/${name}`)];
  for (const path of unwanted) await rm(join(root, path), { recursive: true, force: true });
  for (const path of ["dev", "proc", "sys", "tmp", "run", "var/log", "var/tmp"])
    await mkdir(join(root, path), { recursive: true });
  for (const path of ["tmp", "var/tmp"]) await chmod(join(root, path), 0o1777);
}

async function extractNpm(root: string, part: NpmPart, work: string, signal?: AbortSignal): Promise<void> {
  const directory = await mkdtemp(join(work, "npm-"));
  try {
    const archive = await run("npm", ["pack", "--silent", part.spec], { cwd: directory, signal });
    await run("tar", ["-xzf", archive.trim(), "--no-same-owner"], { cwd: directory, signal });
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    throw new FabricError("connection", `expected npm package ${part.spec}; ${error.message}`, {
      hint: "check that npm reaches its registry (npm ping), then run it again",
      cause: error,
    });
  }
  await mkdir(dirname(join(root, part.to)), { recursive: true });
  await cp(join(directory, "package", part.from), join(root, part.to), { recursive: true, verbatimSymlinks: true });
}

async function putTree(root: string, { from, to, except }: TreePart): Promise<void> {
  const unwanted = except.map((pattern) => new RegExp(pattern));
  const filter = (path: string) => !unwanted.some((pattern) => pattern.test(relative(from, path)));
  await mkdir(dirname(join(root, to)), { recursive: true });
  await cp(from, join(root, to), { recursive: true, verbatimSymlinks: true, filter });
}

async function putFile(root: string, file: FilePart): Promise<void> {
  const to = join(root, file.to);
  await mkdir(dirname(to), { recursive: true });
  await rm(to, { force: true });
  await ("from" in file ? copyFile(file.from, to) : writeFile(to, file.text));
  await chmod(to, file.mode);
}

async function putLink(root: string, link: string, target: string): Promise<void> {
  await mkdir(dirname(join(root, link)), { recursive: true });
  await symlink(target, join(root, link));
}

const commandDirectories = ["bin", "sbin", "usr/bin", "usr/sbin"];

async function linkBusybox(root: string, signal?: AbortSignal): Promise<void> {
  const busybox = join(root, "bin/busybox");
  const names = (await run(busybox, ["--list"], { signal })).trim().split("\n");
  const present = await Promise.all(commandDirectories.map((directory) => namesIn(join(root, directory))));
  const taken = new Set(present.flat());
  for (const name of names.filter((name) => !taken.has(name))) await symlink("busybox", join(root, "bin", name));
  // Where scripts name it.
  if (!(await exists(join(root, "usr/bin/env")))) await putLink(root, "usr/bin/env", "/bin/busybox");
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return (await lstat(directory).catch(() => undefined)) ? readdir(directory) : [];
}

async function removeOlder(directory: string, name: string): Promise<void> {
  const older = new RegExp(`^${name}-[0-9a-f]{16}\\.tar$`);
  for (const file of await readdir(directory)) if (older.test(file)) await rm(join(directory, file));
}
