import { posix } from "node:path";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { NodeManifest } from "./node-manifest.ts";
import { entryOf, mainOf, programsOf } from "./node-start.ts";
import { describeLeftOut, whyLeftOut, type LeftOut } from "./sieve.ts";

/** What is known of a folder of Node chaincode. */
export interface NodeFolder {
  /** For people. */
  readonly where: string;
  readonly manifest: NodeManifest;
  /** What is packed. */
  readonly paths: ReadonlySet<string>;
  readonly leftOut: readonly LeftOut[];
}

/**
 * Checks that a peer can start the package: it runs "npm start" (dockercontroller.go, GetArgs). Returns notices for the user.
 * Throws `usage` when there is no start script, or it starts a file that is not there.
 */
export function checkNodeSource(folder: NodeFolder): readonly Remedy[] {
  const { where, manifest } = folder;
  if (typeof manifest.scripts?.["start"] !== "string") {
    throw new FabricError("usage", `expected a start script in ${posix.join(where, "package.json")}, found none`, {
      hint: '"scripts": { "start": "node node_modules/fabric-shim/cli.js start" }',
    });
  }
  checkExecuted(folder);
  return [...entryNotices(folder), ...developmentNotices(folder)];
}

/** Files that a script of the start runs by themselves, or by a shell. */
function checkExecuted({ where, manifest, paths, leftOut }: NodeFolder): void {
  for (const name of ["prestart", "start"]) {
    for (const program of programsOf(manifest, name)) {
      if (program.kind !== "file" || !program.sure) continue;
      const { file, executed } = program;
      if (!paths.has(file)) {
        const by = whyLeftOut(leftOut, file);
        throw new FabricError("usage", `expected ${file} in ${where}, which "npm start" runs, ${notThere(by)}`);
      }
      if (executed) {
        throw new FabricError(
          "usage",
          `expected a ${name} script that a peer can run, found ./${file}: no file of a package is executable`,
          { hint: `"${name}": "sh ${file}"` },
        );
      }
    }
  }
}

const notThere = (by: LeftOut | undefined): string =>
  by === undefined ? "found none" : `found it left out by ${describeLeftOut(by)}`;

function entryNotices({ where, manifest, paths, leftOut }: NodeFolder): readonly Remedy[] {
  const { scripts = {} } = manifest;
  const entry = entryOf(manifest);
  if (entry === undefined || fileOfEntry(entry, paths) !== undefined) return [];
  const by = candidates(entry).flatMap((path) => whyLeftOut(leftOut, path) ?? [])[0];
  if (by !== undefined) {
    throw new FabricError("usage", `expected ${entry} in ${where}, which "npm start" runs, ${notThere(by)}`, {
      hint:
        by.file === undefined ? undefined : `take that line out of ${by.file}, or add: !${by.rule.replace(/^!/, "")}`,
    });
  }
  // npm runs these in the peer's build, and they may make the file.
  const made = ["preinstall", "install", "postinstall", "prepare", "prestart"].find((name) =>
    makesFiles(manifest, name),
  );
  if (made !== undefined)
    return [`${entry} is not there: the package's ${made} script has to make it in the peer's build`];
  const typescript = [...paths].some((path) => path.endsWith(".ts") && !path.includes("node_modules/"));
  if (!typescript) {
    throw new FabricError("usage", `expected ${entry} in ${where}, which "npm start" runs, found none`, {
      hint: 'name the file as "main" in package.json',
    });
  }
  throw new FabricError("usage", `expected TypeScript to be compiled, found no ${entry} in ${where}`, {
    hint: "build" in scripts ? ["npm run build, or ", { setting: "build" }] : "npx tsc",
  });
}

/** Commands that certainly compile nothing. */
const idle: ReadonlySet<string> = new Set(["npm", "yarn", "pnpm", "echo", "true", "exit", "husky"]);

const makesFiles = (manifest: NodeManifest, script: string): boolean =>
  programsOf(manifest, script).some((program) => program.kind !== "bin" || !idle.has(program.name));

/** The packed file that Node reads for a name (nodejs.org/api/modules.html, "All together"). */
export const fileOfEntry = (entry: string, paths: ReadonlySet<string>): string | undefined =>
  candidates(entry).find((candidate) => paths.has(candidate));

function candidates(entry: string): readonly string[] {
  const file = entry.replace(/\/$/, "");
  const names = [file, `${file}.js`, `${file}.json`, `${file}.cjs`, `${file}.mjs`];
  return [...names, posix.join(file, "index.js"), posix.join(file, "package.json")];
}

/** Files of the folder that a program requires, as it names them, from the folder. */
function requiredFiles(file: string, text: string): readonly string[] {
  const names = text.matchAll(/(?:\brequire\s*\(\s*|\bfrom\s+|\bimport\s*\(?\s*)["'](\.{1,2}\/[^"'\n]*|\.{1,2})["']/g);
  return [...names]
    .map(([, name = ""]) => posix.join(posix.dirname(file), name))
    .filter((name) => !name.startsWith(".."));
}

/** Throws `usage` when a file that a program requires is left out. `file` is the program, with its `text`. */
export function checkRequired({ paths, leftOut }: NodeFolder, file: string, text: string): readonly string[] {
  return requiredFiles(file, text).flatMap((name) => {
    const found = name === "." ? fileOfEntry(mainOf(undefined), paths) : fileOfEntry(name, paths);
    if (found !== undefined) return [found];
    const by = candidates(name).flatMap((path) => whyLeftOut(leftOut, path) ?? [])[0];
    if (by?.file === undefined) return [];
    throw new FabricError("usage", `expected ${name} in the package, which ${file} requires, ${notThere(by)}`, {
      hint: `take that line out of ${by.file}`,
    });
  });
}

function developmentNotices({ manifest, paths }: NodeFolder): readonly string[] {
  const { dependencies = {}, devDependencies = {} } = manifest;
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
