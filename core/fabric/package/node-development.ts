import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import type { NodeManifest } from "./node-manifest.ts";
import { programsOf, type RunProgram } from "./node-start.ts";

/** Commands whose package is called otherwise. */
const knownBins: Readonly<Record<string, string>> = { tsc: "typescript", nest: "@nestjs/cli", babel: "@babel/cli" };

/** The commands of installed packages: name of a package -> of its commands. */
export type InstalledBins = ReadonlyMap<string, readonly string[]>;

/** npm runs these in the peer's build, without devDependencies (fabric-chaincode-node, fabric-nodeenv/build.sh: npm ci --omit=dev). */
const inBuild = ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/**
 * Checks what scripts of package.json run where only production dependencies are: in the peer's build, and at each start of the container,
 * whether something has been compiled before or not. Returns notices. Throws `usage` for what cannot work.
 */
export function checkScripts(where: string, manifest: NodeManifest, installed: InstalledBins): readonly Remedy[] {
  const notices: Remedy[] = [];
  for (const name of ["prestart", "start", ...inBuild, "poststart"]) {
    const when = inBuild.includes(name) ? "in the peer's build" : "at each start of the container";
    for (const program of programsOf(manifest, name)) {
      const needed = developmentPackage(program, manifest, installed);
      if (needed === undefined) continue;
      const found = `${name} in ${where}/package.json, which runs ${needed.runs} ${when}, where no devDependency is (${needed.name})`;
      if (name === "poststart" || !program.sure) {
        notices.push(`a script needs what is only for development: ${found}`);
        continue;
      }
      throw new FabricError("usage", `expected scripts that need no devDependencies, found ${found}`, {
        hint: hintFor(name, needed.name),
      });
    }
  }
  return notices;
}

function hintFor(script: string, name: string): Remedy {
  if (script === "start")
    return `start what was compiled ("node dist/index.js"), or make ${name} a dependency: npm install ${name}`;
  if (inBuild.includes(script)) return `take ${script} out of package.json, or let it pass: "${script}": "… || true"`;
  return [
    `take ${script} out of package.json, and compile before: npm run build, or `,
    { setting: "build" },
    `; else make ${name} a dependency: npm install ${name}`,
  ];
}

function developmentPackage(
  program: RunProgram,
  { dependencies = {}, optionalDependencies = {}, devDependencies = {} }: NodeManifest,
  installed: InstalledBins,
): { readonly runs: string; readonly name: string } | undefined {
  const isDevelopment = (name: string) =>
    name in devDependencies && !(name in dependencies) && !(name in optionalDependencies);
  if (program.kind === "node") {
    const name = program.preloads.map(packageName).find(isDevelopment);
    return name === undefined ? undefined : { runs: name, name };
  }
  if (program.kind !== "bin") return undefined;
  const { name: bin } = program;
  const known = knownBins[bin];
  const candidates = Object.keys(devDependencies).filter(
    (name) => installed.get(name)?.includes(bin) === true || name === bin || name === known || isScoped(name, bin),
  );
  // A production dependency may bring the same command.
  const elsewhere =
    bin in dependencies ||
    (known !== undefined && known in dependencies) ||
    [...installed].some(([name, bins]) => name in dependencies && bins.includes(bin));
  const name = elsewhere ? undefined : candidates.find(isDevelopment);
  return name === undefined ? undefined : { runs: bin, name };
}

/** "@scope/bin" may bring "bin"; "@types/bin" brings types alone. */
const isScoped = (name: string, bin: string): boolean => name.endsWith(`/${bin}`) && !name.startsWith("@types/");

/** "ts-node/register" is of "ts-node". */
const packageName = (module: string): string =>
  module.startsWith("@") ? module.split("/").slice(0, 2).join("/") : (module.split("/")[0] ?? module);
