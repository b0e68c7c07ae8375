import { readFile, stat } from "node:fs/promises";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { type FolderFile, folderFiles, type PathFilter, readFileIfAny } from "./chaincode-folder.ts";
import { type ChaincodePackage, packChaincode } from "./chaincode-package.ts";
import { checkVendored, goModulePath, requiredModules } from "./go-module.ts";
import { readIgnoreRules, type IgnoreRules } from "./ignore-rules.ts";
import { checkNodeSource, entryOf, missingNodeDependencies, type NodeManifest } from "./node-source-check.ts";
import { describeProblem, readJson } from "../json-text.ts";
import { secretFiles, type SecretFiles } from "./secret-files.ts";
import type { ArchiveFile } from "./tarball.ts";

/** Languages that a peer itself can build. */
export type ChaincodeLanguage = "node" | "golang" | "java";

/** Source code, ready to be packed. */
export interface ChaincodeSource {
  readonly language: ChaincodeLanguage;
  /** The import path of Go chaincode; empty otherwise. */
  readonly path: string;
  readonly files: readonly ArchiveFile[];
  /** What is worth knowing, in sentences. */
  readonly notices: readonly Remedy[];
  /** What the peer's build has to download; nothing when it can go on without a network. */
  readonly downloads: readonly string[];
}

export interface SourceOptions {
  /** Files to pack although they look like keys or passwords: patterns as in .gitignore. */
  readonly include?: readonly string[] | undefined;
}

/** Packs a folder of source code. Throws `usage` for what Fabric would refuse to package, build or start. */
export async function packageChaincodeFolder(folder: string, label: string): Promise<ChaincodePackage> {
  const { language, path, files } = await readChaincodeSource(folder);
  return packChaincode({ path, type: language, label }, files);
}

/** Reads a folder of source code; its build file decides the language. */
export async function readChaincodeSource(folder: string, options: SourceOptions = {}): Promise<ChaincodeSource> {
  const secrets = secretFiles(options.include);
  const source = await sourceIn(folder, secrets);
  secrets.checkIncluded();
  return { ...source, notices: [...source.notices, ...secrets.notices()] };
}

async function sourceIn(folder: string, secrets: SecretFiles): Promise<ChaincodeSource> {
  if (await readFileIfAny(join(folder, "package.json"))) return nodeSource(folder, secrets);
  for (const build of ["pom.xml", "build.gradle", "build.gradle.kts"]) {
    if (await readFileIfAny(join(folder, build))) return javaSource(folder, secrets);
  }
  const root = await goModuleRoot(resolve(folder));
  if (root !== undefined) return goSource(root, folder, secrets);
  throw new FabricError("usage", `expected package.json, go.mod, pom.xml or build.gradle in ${folder}, found none`, {
    hint: "name the folder of the chaincode itself",
  });
}

/** core/chaincode/platforms/node/platform.go. Installed dependencies are packed too: a cluster may be offline. */
async function nodeSource(folder: string, secrets: SecretFiles): Promise<ChaincodeSource> {
  const manifest = await readManifest(folder);
  const rules = await readIgnoreRules(folder, [".npmignore", ".dockerignore"]);
  const isSecret = secrets.excluding(/(^|\/)node_modules\//);
  const found = await folderFiles(
    folder,
    (path, kind, origin) => nodeFilter(path, kind) && !rules.excludes(path, kind) && !isSecret(path, kind, origin),
  );
  // With a lock file the builder runs "npm ci", which removes installed dependencies and asks the registry. Without one it runs
  // "npm install", which finds them installed (fabric-chaincode-node, fabric-nodeenv/build.sh).
  const installed = found.some(({ path }) => path.startsWith("node_modules/"));
  const files = installed ? found.filter(({ path }) => !lockFiles.has(path)) : found;
  const paths = new Set(files.map(({ path }) => path));
  const notices = checkNodeSource(folder, manifest, paths);
  const stale = await staleBuild(manifest, files);
  return {
    language: "node",
    path: "",
    files: await archiveFiles(files, "META-INF"),
    notices: [...ignoredBy(rules), ...notices, ...stale],
    downloads: missingNodeDependencies(manifest, paths),
  };
}

const lockFiles: ReadonlySet<string> = new Set(["package-lock.json", "npm-shrinkwrap.json"]);

/** .bin holds links and executables, which a package cannot have; .cache and .package-lock.json differ with each installation. */
const nodeFilter: PathFilter = (path) => {
  const name = posix.basename(path);
  return name !== ".git" && !/(^|\/)node_modules\/(\.bin|\.cache|\.package-lock\.json)$/.test(path);
};

async function readManifest(folder: string): Promise<NodeManifest> {
  const file = join(folder, "package.json");
  return jsonIn(file, await readFile(file, "utf8")) ?? {};
}

const ignoredBy = ({ sources }: IgnoreRules): readonly string[] =>
  sources.length === 0 ? [] : [`${sources.join(" and ")} decided what is left out`];

/** Whether TypeScript was changed after it was compiled: the package would hold what was before. */
async function staleBuild({ main, scripts }: NodeManifest, files: readonly FolderFile[]): Promise<readonly Remedy[]> {
  const start = scripts?.["start"];
  const entry = typeof start === "string" ? entryOf(start, main) : undefined;
  const built = files.find(({ path }) => path === entry);
  const sources = files.filter(({ path }) => /(?<!\.d)\.ts$/.test(path) && !path.startsWith("node_modules/"));
  if (!built || sources.length === 0) return [];
  const { mtimeMs } = await stat(built.file);
  const times = await Promise.all(sources.map(async ({ path, file }) => ({ path, time: (await stat(file)).mtimeMs })));
  const newer = times.filter(({ time }) => time > mtimeMs);
  return newer.length === 0
    ? []
    : [[`${newer[0]?.path} is newer than ${entry}: npm run build, or `, { setting: "build" }]];
}

/** core/chaincode/platforms/java/platform.go. */
async function javaSource(folder: string, secrets: SecretFiles): Promise<ChaincodeSource> {
  const rules = await readIgnoreRules(folder, [".dockerignore"]);
  const isSecret = secrets.excluding(undefined);
  const files = await folderFiles(
    folder,
    (path, kind, origin) =>
      !/^(\.git|\.gradle|target|build|out)$/.test(path) &&
      !path.endsWith(".class") &&
      !rules.excludes(path, kind) &&
      !isSecret(path, kind, origin),
  );
  const jar = files.some(({ path }) => path.endsWith(".jar") && !path.endsWith("wrapper.jar"));
  return {
    language: "java",
    path: "",
    files: await archiveFiles(files, "META-INF"),
    notices: ignoredBy(rules),
    downloads: jar ? [] : ["what pom.xml or build.gradle names"],
  };
}

/** core/chaincode/platforms/golang/platform.go: the whole module, and the import path of what to build in it. */
async function goSource(root: string, folder: string, secrets: SecretFiles): Promise<ChaincodeSource> {
  const inside = relative(root, resolve(folder)).split(sep).join("/");
  const rules = await readIgnoreRules(root, [".dockerignore"]);
  // Only "go mod vendor" writes this file: without it, the files in vendor are the user's own.
  const isVendored = (await readFileIfAny(join(root, "vendor/modules.txt"))) !== undefined;
  const isSecret = secrets.excluding(isVendored ? /^vendor\// : undefined);
  const found = await folderFiles(
    root,
    (path, kind, origin) =>
      (kind === "file" || !posix.basename(path).startsWith(".")) &&
      !rules.excludes(path, kind) &&
      !isSecret(path, kind, origin),
  );
  const module = await readFile(join(root, "go.mod"), "utf8");
  const path = goModulePath(module, join(root, "go.mod"));
  const required = requiredModules(module);
  const vendored = found.find(({ path }) => path === "vendor/modules.txt");
  if (vendored) checkVendored(required, await readFile(vendored.file, "utf8"), root);
  await checkMainPackage(found, inside, folder);
  return {
    language: "golang",
    path: posix.join(path, inside),
    files: await archiveFiles(found, posix.join(inside, "META-INF")),
    notices: ignoredBy(rules),
    downloads: vendored ? [] : required.map(({ path, version }) => `${path} ${version}`),
  };
}

/** A peer runs "go build" in this folder and starts the executable. */
async function checkMainPackage(files: readonly FolderFile[], inside: string, folder: string): Promise<void> {
  const own = files.filter(
    ({ path }) =>
      posix.dirname(path) === (inside === "" ? "." : inside) && path.endsWith(".go") && !path.endsWith("_test.go"),
  );
  const texts = await Promise.all(own.map(({ file }) => readFile(file, "utf8")));
  if (texts.some((text) => /^package\s+main\b/m.test(text))) return;
  const found = texts.flatMap((text) => /^package\s+(\w+)/m.exec(text)?.[1] ?? [])[0];
  throw new FabricError("usage", `expected a Go package main in ${folder}, found ${found ?? "no Go file"}`, {
    hint: "name the folder that has func main, inside its module",
  });
}

async function goModuleRoot(folder: string): Promise<string | undefined> {
  if (await readFileIfAny(join(folder, "go.mod"))) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : goModuleRoot(above);
}

/** Files of the metadata folder go beside the sources. Fabric leaves out hidden files there (core/chaincode/platforms/util/writer.go). */
async function archiveFiles(files: readonly FolderFile[], metadataFolder: string): Promise<readonly ArchiveFile[]> {
  const isMetadata = ({ path }: FolderFile) => path.startsWith(`${metadataFolder}/`);
  const hidden = ({ path }: FolderFile) => posix.basename(path).startsWith(".");
  return Promise.all(
    files
      .filter((file) => !(isMetadata(file) && hidden(file)))
      .map((file) => {
        if (!isMetadata(file)) return sourceFile(file);
        return metadataFile({ ...file, path: `META-INF${file.path.slice(metadataFolder.length)}` });
      }),
  );
}

async function sourceFile({ path, file }: FolderFile): Promise<ArchiveFile> {
  return { name: `src/${path}`, content: await readFile(file) };
}

/** CouchDB indexes are the only metadata that Fabric accepts (internal/ccmetadata/validators.go). Throws `usage` for other files. */
async function metadataFile({ path, file }: FolderFile): Promise<ArchiveFile> {
  const content = await readFile(file);
  if (!/^META-INF\/statedb\/couchdb\/(collections\/[A-Za-z0-9_-]+\/)?indexes\/.*\.json$/.test(path)) {
    throw new FabricError("usage", `expected CouchDB indexes below META-INF, found ${path}`, {
      hint: "META-INF/statedb/couchdb/indexes/NAME.json, or META-INF/statedb/couchdb/collections/COLLECTION/indexes/NAME.json",
    });
  }
  jsonIn(path, content.toString("utf8"));
  return { name: path, content };
}

function jsonIn(file: string, text: string): unknown {
  const read = readJson(text);
  if ("value" in read) return read.value;
  throw new FabricError("usage", `expected JSON in ${file}: ${describeProblem(read.problem)}`);
}
