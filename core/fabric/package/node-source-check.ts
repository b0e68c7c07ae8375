import { posix } from "node:path";
import { FabricError } from "../../error.ts";

/** The fields of package.json that packaging reads. */
export interface NodeManifest {
  readonly main?: unknown;
  readonly scripts?: Readonly<Record<string, unknown>> | undefined;
  readonly dependencies?: Readonly<Record<string, unknown>> | undefined;
  readonly devDependencies?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Checks that a peer can start the package: it runs "npm start" (dockercontroller.go, GetArgs). Returns notices for the user.
 * Throws `usage` when there is no start script, or it starts a file that is not there. `where` is the folder.
 */
export function checkNodeSource(where: string, manifest: NodeManifest, paths: ReadonlySet<string>): readonly string[] {
  const start = manifest.scripts?.["start"];
  if (typeof start !== "string") {
    throw new FabricError("usage", `expected a start script in ${posix.join(where, "package.json")}, found none`, {
      hint: '"scripts": { "start": "node node_modules/fabric-shim/cli.js start" }',
    });
  }
  return [...entryNotices(where, manifest, start, paths), ...developmentNotices(manifest, paths)];
}

function entryNotices(
  where: string,
  { main, scripts = {} }: NodeManifest,
  start: string,
  paths: ReadonlySet<string>,
): readonly string[] {
  const entry = entryOf(start, main);
  if (entry === undefined || isThere(entry, paths)) return [];
  // npm runs these in the peer's build, and they may make the file.
  const made = ["preinstall", "install", "postinstall", "prepare", "prestart"].find((name) => name in scripts);
  if (made !== undefined)
    return [`${entry} is not there: the package's ${made} script has to make it in the peer's build`];
  const typescript = [...paths].some((path) => path.endsWith(".ts") && !path.includes("node_modules/"));
  if (!typescript) {
    throw new FabricError("usage", `expected ${entry} in ${where}, which "npm start" runs, found none`, {
      hint: 'name the file as "main" in package.json, and keep it out of .npmignore and .dockerignore',
    });
  }
  throw new FabricError("usage", `expected TypeScript to be compiled, found no ${entry} in ${where}`, {
    hint: "build" in scripts ? ["npm run build, or ", { setting: "build" }] : "npx tsc",
  });
}

/** The file that "npm start" runs, if the script tells: fabric-shim's own command runs "main" of package.json, as Node does. */
export function entryOf(start: string, main: unknown): string | undefined {
  if (/fabric-chaincode-node\b|fabric-shim\/cli(\.js)?\b/.test(start)) {
    return start.includes("--module-path") ? undefined : posix.normalize(typeof main === "string" ? main : "index.js");
  }
  const file = /^node\s+(?:-\S+\s+)*([^\s-]\S*)/.exec(start)?.[1];
  return file === undefined || file.startsWith("node_modules/") ? undefined : posix.normalize(file);
}

/** nodejs.org/api/modules.html, "All together". */
function isThere(entry: string, paths: ReadonlySet<string>): boolean {
  const file = entry.replace(/\/$/, "");
  const candidates = [file, `${file}.js`, `${file}.json`, `${file}.cjs`, `${file}.mjs`, posix.join(file, "index.js")];
  return candidates.some((candidate) => paths.has(candidate));
}

function developmentNotices(
  { dependencies = {}, devDependencies = {} }: NodeManifest,
  paths: ReadonlySet<string>,
): readonly string[] {
  const unneeded = Object.keys(devDependencies).filter((name) => !(name in dependencies) && isInstalled(name, paths));
  if (unneeded.length === 0) return [];
  return [`${unneeded.join(", ")} only for development, but packed: npm ci --omit=dev makes the package smaller`];
}

/** Dependencies that a peer's build has to get from a registry; empty when it needs none. */
export function missingNodeDependencies(
  { dependencies = {} }: NodeManifest,
  paths: ReadonlySet<string>,
): readonly string[] {
  return Object.keys(dependencies).filter((name) => !isInstalled(name, paths));
}

const isInstalled = (name: string, paths: ReadonlySet<string>): boolean =>
  paths.has(`node_modules/${name}/package.json`);
