import { posix } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import type { ArchiveFile } from "../../fabric/package/tarball.ts";

const source = "src/";
/** Where Fabric adds what it has built (core/chaincode/platforms/node/platform.go, GenerateDockerfile). */
export const nodeFolder = "usr/local/src/";

/** What npm runs of a package by itself when it installs it. */
const installScripts = ["preinstall", "install", "postinstall"];
/** And of the package in whose folder it is called. */
const rootScripts = [...installScripts, "prepublish", "preprepare", "prepare", "postprepare"];
/** Its script only warns of version ranges; every Fabric chaincode depends on it. */
const harmless: ReadonlySet<string> = new Set(["protobufjs"]);

interface PackageJson {
  readonly scripts?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly name?: string;
  readonly version?: string;
  readonly gypfile?: boolean;
}

/**
 * Why a build would do more than copy the files of a Node package: undefined when it would not, so that the image can be
 * composed. Pure. Names are those within code.tar.gz.
 */
export function reasonToBuild(files: readonly ArchiveFile[]): string | undefined {
  const sources = new Map(files.map((file) => [file.name, file]));
  const root = packageJson(sources.get(`${source}package.json`));
  if (!root) return "it has no package.json";
  const script = rootScripts.find((name) => root.scripts?.[name] !== undefined);
  if (script !== undefined) return `its ${script} script has to run`;
  // "npm ci" would throw away what is installed (fabric-chaincode-node, fabric-nodeenv/build.sh).
  const lock = ["package-lock.json", "npm-shrinkwrap.json"].find((name) => sources.has(source + name));
  if (lock !== undefined) return `its ${lock} makes npm install everything anew`;
  const native = files.find(({ name }) => name.endsWith(".node") || posix.basename(name) === "binding.gyp");
  if (native) return `${native.name.slice(source.length)} belongs to a native module`;
  return missingDependency(sources, source, root) ?? unrunScript(sources);
}

/** Why a dependency, or one of its own dependencies, is not usable as it is in the package; undefined when all are. */
function missingDependency(
  sources: ReadonlyMap<string, ArchiveFile>,
  folder: string,
  { dependencies = {}, optionalDependencies = {} }: PackageJson,
  seen = new Set<string>(),
): string | undefined {
  for (const [name, range] of Object.entries(dependencies)) {
    if (name in optionalDependencies) continue;
    const found = resolved(sources, folder, name);
    const json = found === undefined ? undefined : packageJson(sources.get(`${found}package.json`));
    if (found === undefined || !json) return `its dependency ${name} is not in the package`;
    if (/^\d+\.\d+\.\d+/.test(range) && json.version !== range)
      return `its dependency ${name} is there as ${json.version ?? "no version"} instead of ${range}`;
    if (seen.has(found)) continue;
    seen.add(found);
    const missing = missingDependency(sources, found, json, seen);
    if (missing !== undefined) return missing;
  }
  return undefined;
}

/** "src/node_modules/a/" for "a" as Node finds it from a folder: the nearest node_modules upwards. */
function resolved(sources: ReadonlyMap<string, ArchiveFile>, folder: string, name: string): string | undefined {
  for (let at = folder; ; at = `${posix.dirname(at.slice(0, -1))}/`) {
    const candidate = `${at}node_modules/${name}/`;
    if (sources.has(`${candidate}package.json`)) return candidate;
    if (at === source) return undefined;
  }
}

function unrunScript(sources: ReadonlyMap<string, ArchiveFile>): string | undefined {
  for (const { json, name } of installed(sources)) {
    const script = installScripts.find((one) => json.scripts?.[one] !== undefined);
    if (script !== undefined && !harmless.has(name)) return `the ${script} script of ${name} has to run`;
    if (json.gypfile === true) return `${name} is a native module`;
  }
  return undefined;
}

interface Installed {
  /** "src/node_modules/" */
  readonly modules: string;
  /** "@scope/name" */
  readonly name: string;
  readonly json: PackageJson;
}

/** Every package below a node_modules folder, in order of their paths. */
function installed(sources: ReadonlyMap<string, ArchiveFile>): readonly Installed[] {
  return [...sources.values()]
    .flatMap((file) => {
      const [, modules, name] = /^(.*\bnode_modules\/)((?:@[^/]+\/)?[^/@][^/]*)\/package\.json$/.exec(file.name) ?? [];
      const json = modules === undefined ? undefined : packageJson(file);
      return modules === undefined || name === undefined || !json ? [] : [{ modules, name, json }];
    })
    .sort((left, right) => (left.modules + left.name < right.modules + right.name ? -1 : 1));
}

function packageJson(file: ArchiveFile | undefined): PackageJson | undefined {
  try {
    return file && (JSON.parse(Buffer.from(file.content).toString("utf8")) as PackageJson);
  } catch {
    return undefined;
  }
}

/**
 * The layer that Fabric's build of this package adds: the sources at /usr/local/src, and what npm makes of the commands of
 * installed packages, since a chaincode package has neither links nor executable files. Times are zero: the same package
 * gives the same layer anywhere.
 */
export function nodeLayer(files: readonly ArchiveFile[]): Readable {
  const sources = new Map(files.filter(({ name }) => name.startsWith(source)).map((file) => [file.name, file]));
  const links = commandLinks(sources);
  const executable = new Set(links.values());
  const paths = [...sources.keys(), ...links.keys()].sort();
  const layer = pack();
  const common = { uid: 0, gid: 0, mtime: new Date(0) };
  for (const folder of foldersOf(paths)) layer.entry({ ...common, name: folder, type: "directory", mode: 0o755 });
  for (const path of paths) {
    const name = nodeFolder + path.slice(source.length);
    const target = links.get(path);
    if (target !== undefined) {
      const linkname = posix.relative(posix.dirname(path), target);
      layer.entry({ ...common, name, type: "symlink", linkname, mode: 0o777 });
    } else {
      const content = Buffer.from(sources.get(path)?.content ?? []);
      layer.entry({ ...common, name, size: content.length, mode: executable.has(path) ? 0o755 : 0o644 }, content);
    }
  }
  layer.finalize();
  return Readable.from(layer, { objectMode: false });
}

/** node_modules/.bin/NAME -> the file that a package names as this command. */
function commandLinks(sources: ReadonlyMap<string, ArchiveFile>): ReadonlyMap<string, string> {
  const links = new Map<string, string>();
  for (const { modules, name, json } of installed(sources)) {
    const commands = typeof json.bin === "string" ? { [posix.basename(name)]: json.bin } : (json.bin ?? {});
    for (const [command, file] of Object.entries(commands)) {
      const target = posix.normalize(`${modules}${name}/${file}`);
      const link = `${modules}.bin/${posix.basename(command)}`;
      if (sources.has(target) && !links.has(link) && !sources.has(link)) links.set(link, target);
    }
  }
  return links;
}

function foldersOf(paths: readonly string[]): readonly string[] {
  const folders = new Set(["usr/", "usr/local/", nodeFolder]);
  for (const path of paths) {
    const parts = path.slice(source.length).split("/").slice(0, -1);
    parts.forEach((_, index) => folders.add(`${nodeFolder}${parts.slice(0, index + 1).join("/")}/`));
  }
  return [...folders].sort();
}
