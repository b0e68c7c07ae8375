import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { type FolderFile, folderFiles, readFileIfAny } from "./chaincode-folder.ts";
import { ignoreFileJudge, outsideNodeModules } from "./ignore-rules.ts";
import { nameJudge } from "./name-rules.ts";
import { checkScripts, type InstalledBins } from "./node-development.ts";
import { readNodeManifest, type NodeManifest } from "./node-manifest.ts";
import {
  checkNodeSource,
  checkRequired,
  fileOfEntry,
  missingNodeDependencies,
  type NodeFolder,
} from "./node-source-check.ts";
import { entryOf } from "./node-start.ts";
import { ruleOf, type PackageRule } from "./package-rules.ts";
import type { SecretFiles } from "./secret-files.ts";
import { isNodeServer, serverRefused, startsServer } from "./server-program.ts";
import { byPath, newSieve, whyLeftOut, type Judge } from "./sieve.ts";
import { archiveFiles, ignoredNotices, secretJudge, type ChaincodeSource } from "./source-files.ts";

/** Production dependencies that were installed elsewhere for the package. */
export interface Bundle {
  /** Has node_modules. */
  readonly folder: string;
  /** Whether a path, as node_modules/a, is of a package that belongs to it. */
  readonly has: (path: string) => boolean;
}

const bundled = ruleOf("node_modules, with a bundle");
const lockFiles = ruleOf("package-lock.json, npm-shrinkwrap.json beside packed node_modules");

/** core/chaincode/platforms/node/platform.go. Installed dependencies are packed too: a cluster may be offline. */
export async function nodeSource(
  folder: string,
  secrets: SecretFiles,
  bundle: Bundle | undefined,
): Promise<ChaincodeSource> {
  const manifest = await readNodeManifest(folder);
  const ignored = await ignoreFiles(folder, manifest);
  const judgeWith = (...without: readonly PackageRule[]) => [
    nameJudge({ language: "node", without: [lockFiles, ...without] }, ignored),
    secretJudge(secrets, /(^|\/)node_modules\//),
  ];
  const sieve = newSieve(judgeWith(...(bundle ? [] : [bundled])));
  const own = await folderFiles(folder, sieve.takes);
  const brought = newSieve(judgeWith(bundled));
  const found = bundle ? [...own, ...(await bundledFiles(bundle, brought.takes))] : own;
  // With a lock file the builder runs "npm ci", which removes installed dependencies and asks the registry. Without one it runs
  // "npm install", which finds them installed (fabric-chaincode-node, fabric-nodeenv/build.sh).
  const installed = found.some(({ path }) => path.startsWith("node_modules/"));
  const isLock = ({ path }: FolderFile) => installed && lockFiles.paths?.test(path) === true;
  const files = found.filter((file) => !isLock(file));
  const locks = found.filter(isLock).map(({ path }) => ({ path, rule: lockFiles.what, why: lockFiles.why }));
  const leftOut = byPath([...sieve.leftOut(), ...brought.leftOut(), ...locks]);
  const source: NodeFolder = { where: folder, manifest, paths: new Set(files.map(({ path }) => path)), leftOut };
  const scripts = checkScripts(folder, manifest, await installedBins(folder, manifest));
  const notices = checkNodeSource(source);
  await checkProgram(source, files);
  checkLocal(source);
  return {
    language: "node",
    path: "",
    files: await archiveFiles(files, "META-INF"),
    notices: [...ignoredNotices(leftOut), ...notices, ...scripts, ...(await staleBuild(manifest, files))],
    downloads: missingNodeDependencies(manifest, source.paths),
    withoutNetwork: bringDependencies(source),
    leftOut,
  };
}

/** `.fabricignore`, else `.npmignore` where npm would read it: at the root it does not override "files" of package.json. */
async function ignoreFiles(folder: string, { files }: NodeManifest): Promise<readonly Judge[]> {
  const own = await ignoreFileJudge(folder, ".fabricignore");
  if (own) return [own];
  const npm = Array.isArray(files) ? undefined : await ignoreFileJudge(folder, ".npmignore");
  return npm ? [outsideNodeModules(npm)] : [];
}

/** What npm has installed elsewhere, as far as it is of the package's own. */
async function bundledFiles({ folder, has }: Bundle, takes: ReturnType<typeof newSieve>["takes"]) {
  return folderFiles(
    folder,
    (path, kind, origin) => (path === "node_modules" || has(path)) && takes(path, kind, origin),
  );
}

/** The program that "npm start" runs, and what it requires of the folder: all there, and dialling a peer. */
async function checkProgram(folder: NodeFolder, files: readonly FolderFile[]): Promise<void> {
  if (startsServer(folder.manifest)) {
    throw serverRefused(
      `npm start in ${folder.where} runs fabric-chaincode-node server`,
      "fabric-chaincode-node start",
    );
  }
  const entry = entryOf(folder.manifest);
  const first = entry === undefined ? undefined : fileOfEntry(entry, folder.paths);
  const sources = new Map(files.map(({ path, file }) => [path, file]));
  const open = first === undefined ? [] : [first];
  const seen = new Set(open);
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const file = sources.get(path);
    if (file === undefined || !/\.[cm]?[jt]s$/.test(path)) continue;
    const text = await readFile(file, "utf8");
    if (path === first && isNodeServer(text)) {
      throw serverRefused(`${path}, which npm start in ${folder.where} runs, calls shim.server`, "shim.start");
    }
    for (const next of checkRequired(folder, path, text)) {
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(next);
    }
  }
}

/** Dependencies that lie beside the folder, in no registry: a peer's build finds them only where they were installed. Throws `usage`. */
function checkLocal({ where, manifest, paths }: NodeFolder): void {
  for (const name of missingNodeDependencies(manifest, paths)) {
    const from = String(manifest.dependencies?.[name]);
    const inside = /^file:(\.\/|(?!\.\.|\/|~|[A-Za-z]:))/.test(from);
    if (inside || !/^(file|link|portal|workspace):|^\.{1,2}\//.test(from)) continue;
    throw new FabricError(
      "usage",
      `expected dependencies that a peer's build finds, found ${name} from ${from} in ${where}/package.json`,
      {
        hint: `install it as a copy: npm install --install-links --no-workspaces --omit=dev, in ${where}; with pnpm: pnpm deploy --prod DIR, and package DIR`,
      },
    );
  }
}

/** How the dependencies come into the package. */
function bringDependencies({ leftOut, where }: NodeFolder): Remedy {
  const by = whyLeftOut(leftOut, "node_modules");
  if (by?.file !== undefined) return `take line ${by.line} (${by.rule}) out of ${by.file}, in ${where}`;
  return "npm ci --omit=dev, in the folder, then package it";
}

/** Commands of installed packages that package.json names. */
async function installedBins(folder: string, manifest: NodeManifest): Promise<InstalledBins> {
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  const bins = await Promise.all(
    names.map(async (name): Promise<[string, readonly string[]][]> => {
      const text = await readFileIfAny(join(folder, "node_modules", name, "package.json"));
      return text ? [[name, binsIn(name, text.toString("utf8"))]] : [];
    }),
  );
  return new Map(bins.flat());
}

function binsIn(name: string, text: string): readonly string[] {
  try {
    const { bin } = JSON.parse(text) as { readonly bin?: unknown };
    if (typeof bin === "string") return [name.split("/").at(-1) ?? name];
    return typeof bin === "object" && bin !== null ? Object.keys(bin) : [];
  } catch {
    return [];
  }
}

/** Whether TypeScript was changed after it was compiled: the package would hold what was before. */
async function staleBuild(manifest: NodeManifest, files: readonly FolderFile[]): Promise<readonly Remedy[]> {
  const entry = entryOf(manifest);
  const built =
    entry === undefined ? undefined : files.find(({ path }) => path === fileOfEntry(entry, new Set([path])));
  const sources = files.filter(({ path }) => /(?<!\.d)\.ts$/.test(path) && !path.startsWith("node_modules/"));
  if (!built || sources.length === 0) return [];
  const { mtimeMs } = await stat(built.file);
  const times = await Promise.all(sources.map(async ({ path, file }) => ({ path, time: (await stat(file)).mtimeMs })));
  const newer = times.filter(({ time }) => time > mtimeMs);
  return newer.length === 0
    ? []
    : [[`${newer[0]?.path} is newer than ${built.path}: npm run build, or `, { setting: "build" }]];
}
