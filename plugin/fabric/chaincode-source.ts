import { readFile } from "node:fs/promises";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { FabricError } from "../error.ts";
import { type FolderFile, folderFiles, type PathFilter, readFileIfAny } from "./chaincode-folder.ts";
import { type ChaincodePackage, packChaincode } from "./chaincode-package.ts";
import type { ArchiveFile } from "./tarball.ts";

/** Languages that a peer itself can build. */
export type ChaincodeLanguage = "node" | "golang" | "java";

/** Source code as a package wants it. */
export interface ChaincodeSource {
  readonly language: ChaincodeLanguage;
  /** The import path of Go chaincode; empty otherwise. */
  readonly path: string;
  readonly files: readonly ArchiveFile[];
}

/** Packs a folder of source code. Throws `usage` for what Fabric would refuse to package, build or start. */
export async function packageChaincodeFolder(folder: string, label: string): Promise<ChaincodePackage> {
  const { language, path, files } = await readChaincodeSource(folder);
  return packChaincode({ path, type: language, label }, files);
}

/** Reads a folder of source code; its language is told by its build file. */
export async function readChaincodeSource(folder: string): Promise<ChaincodeSource> {
  if (await readFileIfAny(join(folder, "package.json"))) return nodeSource(folder);
  for (const build of ["pom.xml", "build.gradle", "build.gradle.kts"]) {
    if (await readFileIfAny(join(folder, build))) return javaSource(folder);
  }
  const root = await goModuleRoot(resolve(folder));
  if (root !== undefined) return goSource(root, folder);
  throw new FabricError("usage", `expected package.json, go.mod, pom.xml or build.gradle in ${folder}, found none`, {
    hint: "name the folder of the chaincode itself",
  });
}

/** core/chaincode/platforms/node/platform.go. What is installed comes along: clusters can be offline. */
async function nodeSource(folder: string): Promise<ChaincodeSource> {
  await checkStartScript(folder);
  const found = await folderFiles(folder, nodeFilter);
  // The builder runs "npm ci" when there is a lock file, which throws away what is installed and asks the registry;
  // without one it runs "npm install", which finds everything there (fabric-chaincode-node, fabric-nodeenv/build.sh).
  const installed = found.some(({ path }) => path.startsWith("node_modules/"));
  const files = installed ? found.filter(({ path }) => !lockFiles.has(path)) : found;
  return { language: "node", path: "", files: await archiveFiles(files, "META-INF") };
}

const lockFiles: ReadonlySet<string> = new Set(["package-lock.json", "npm-shrinkwrap.json"]);

/** .bin holds links and executables, neither of which a package has; npm's own notes say how and when it was installed. */
const nodeFilter: PathFilter = (path) => {
  const name = posix.basename(path);
  return name !== ".git" && !/(^|\/)node_modules\/(\.bin|\.cache|\.package-lock\.json)$/.test(path);
};

async function checkStartScript(folder: string): Promise<void> {
  const text = await readFile(join(folder, "package.json"), "utf8");
  let parsed: { scripts?: { start?: unknown } } | null;
  try {
    parsed = JSON.parse(text) as typeof parsed;
  } catch (cause) {
    throw new FabricError("usage", `expected JSON in ${join(folder, "package.json")}, found something else`, { cause });
  }
  if (typeof parsed?.scripts?.start === "string") return;
  // dockercontroller.go, GetArgs: a peer starts Node chaincode by "npm start".
  throw new FabricError("usage", `expected a start script in ${join(folder, "package.json")}, found none`, {
    hint: '"scripts": { "start": "node node_modules/fabric-shim/cli.js start" }',
  });
}

/** core/chaincode/platforms/java/platform.go. */
async function javaSource(folder: string): Promise<ChaincodeSource> {
  const files = await folderFiles(
    folder,
    (path) => !/^(\.git|\.gradle|target|build|out)$/.test(path) && !path.endsWith(".class"),
  );
  return { language: "java", path: "", files: await archiveFiles(files, "META-INF") };
}

/** core/chaincode/platforms/golang/platform.go: the whole module, and the import path of what to build in it. */
async function goSource(root: string, folder: string): Promise<ChaincodeSource> {
  const inside = relative(root, resolve(folder)).split(sep).join("/");
  const found = await folderFiles(root, (path, kind) => kind === "file" || !posix.basename(path).startsWith("."));
  const files = await archiveFiles(found, posix.join(inside, "META-INF"));
  return { language: "golang", path: posix.join(await goModulePath(root), inside), files };
}

async function goModuleRoot(folder: string): Promise<string | undefined> {
  if (await readFileIfAny(join(folder, "go.mod"))) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : goModuleRoot(above);
}

async function goModulePath(root: string): Promise<string> {
  const text = await readFile(join(root, "go.mod"), "utf8");
  const path = /^module\s+"?([^\s"]+)"?/m.exec(text)?.[1];
  if (path === undefined)
    throw new FabricError("usage", `expected a module line in ${join(root, "go.mod")}, found none`);
  return path;
}

/** What is below the metadata folder goes beside the sources; hidden files there are none of Fabric's (core/chaincode/platforms/util/writer.go). */
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

/** Indexes are the only metadata that Fabric knows (internal/ccmetadata/validators.go). */
async function metadataFile({ path, file }: FolderFile): Promise<ArchiveFile> {
  const content = await readFile(file);
  if (!/^META-INF\/statedb\/couchdb\/(collections\/[A-Za-z0-9_-]+\/)?indexes\/.*\.json$/.test(path)) {
    throw new FabricError("usage", `expected CouchDB indexes below META-INF, found ${path}`, {
      hint: "META-INF/statedb/couchdb/indexes/NAME.json, or META-INF/statedb/couchdb/collections/COLLECTION/indexes/NAME.json",
    });
  }
  try {
    JSON.parse(content.toString("utf8"));
  } catch (cause) {
    throw new FabricError("usage", `expected JSON in ${path}, found something else`, { cause });
  }
  return { name: path, content };
}
