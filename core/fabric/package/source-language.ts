import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { readFileIfAny } from "./chaincode-folder.ts";
import { isMainPackage } from "./go-file.ts";
import { isJar } from "./java-source.ts";
import { isNodeChaincode, readNodeManifest } from "./node-manifest.ts";
import type { ChaincodeLanguage } from "./package-rules.ts";

/** In which language a folder is chaincode. */
export interface SourceLanguage {
  readonly language: ChaincodeLanguage;
  /** Of Go: the folder of the module. */
  readonly moduleRoot: string | undefined;
  /** Of Java: there is something to build, rather than jars alone. */
  readonly hasBuild: boolean;
  readonly notices: readonly Remedy[];
}

interface Findings {
  readonly packageJson: boolean;
  readonly isNode: boolean;
  /** Of the folder itself, or above. */
  readonly moduleRoot: string | undefined;
  readonly isGo: boolean;
  readonly build: string | undefined;
  readonly hasJars: boolean;
}

/** Names of the languages, for people. */
const names = { golang: "Go", node: "Node", java: "Java" } as const satisfies Record<ChaincodeLanguage, string>;

const buildFiles = ["pom.xml", "build.gradle", "build.gradle.kts"];

/** The language of a folder: the one that was asked for, or the only one that it can be. Throws `usage`. */
export async function languageOf(folder: string, wanted: ChaincodeLanguage | undefined): Promise<SourceLanguage> {
  const found = await look(folder);
  const { moduleRoot, build } = found;
  const of = (language: ChaincodeLanguage, notices: readonly Remedy[] = []) => ({
    language,
    moduleRoot,
    hasBuild: build !== undefined,
    notices,
  });
  if (wanted !== undefined) {
    checkWanted(folder, wanted, found);
    return of(wanted);
  }
  const [first, second] = possible(found);
  if (first !== undefined && second !== undefined) throw ambiguous(folder, found, first, second);
  const language = first ?? likely(found);
  if (language !== undefined) return of(language, first ? otherwiseNotices(first, found) : []);
  throw new FabricError(
    "usage",
    `expected package.json, go.mod, pom.xml, build.gradle or jars in ${folder}, found none`,
    {
      hint: "name the folder of the chaincode itself",
    },
  );
}

async function look(folder: string): Promise<Findings> {
  const packageJson = (await readFileIfAny(join(folder, "package.json"))) !== undefined;
  const entries = await listed(folder);
  return {
    packageJson,
    isNode: packageJson && (await isNode(folder)),
    moduleRoot: await goModuleRoot(resolve(folder)),
    isGo: await hasMainPackage(folder, entries),
    build: buildFiles.find((name) => entries.includes(name)),
    hasJars: await hasJars(folder, entries),
  };
}

/** The languages that the folder can be chaincode in. */
function possible({ isNode, isGo, moduleRoot, build, hasJars }: Findings): readonly ChaincodeLanguage[] {
  const go = isGo && moduleRoot !== undefined;
  const all = { golang: go, node: isNode, java: build !== undefined || (hasJars && !go && !isNode) };
  return (["golang", "node", "java"] as const).filter((language) => all[language]);
}

/** Where it can be none: the language whose failure says what is missing. */
function likely({ packageJson, moduleRoot }: Findings): ChaincodeLanguage | undefined {
  if (packageJson) return "node";
  return moduleRoot === undefined ? undefined : "golang";
}

function checkWanted(folder: string, wanted: ChaincodeLanguage, found: Findings): void {
  const isThere = {
    golang: found.moduleRoot !== undefined,
    node: found.packageJson,
    java: found.build !== undefined || found.hasJars,
  };
  if (isThere[wanted]) return;
  const needed = { golang: "go.mod", node: "package.json", java: "pom.xml, build.gradle or jars" };
  throw new FabricError(
    "usage",
    `expected ${needed[wanted]} in ${folder}, for chaincode in ${names[wanted]}, found none`,
  );
}

function ambiguous(folder: string, { build }: Findings, one: ChaincodeLanguage, other: ChaincodeLanguage): FabricError {
  const file = { golang: "go.mod with package main", node: "package.json", java: build ?? "jars" };
  return new FabricError(
    "usage",
    `expected chaincode in one language in ${folder}, found ${file[one]} and ${file[other]}`,
    {
      hint: ["say which: ", { setting: "language", to: one }, " or ", { setting: "language", to: other }],
    },
  );
}

/** Of a sure choice where another file might have led elsewhere. */
function otherwiseNotices(taken: ChaincodeLanguage, { packageJson, build }: Findings): readonly Remedy[] {
  if (taken === "node" || !packageJson) return [];
  const file = taken === "golang" ? "go.mod" : (build ?? "jars");
  return [
    [
      `packaged as ${names[taken]} by ${file}: package.json has neither a start script nor fabric-shim; `,
      { setting: "language", to: "node" },
      " takes it as Node",
    ],
  ];
}

/** A package.json that cannot be read may be one: where nothing else is, its failure is told. */
async function isNode(folder: string): Promise<boolean> {
  try {
    return isNodeChaincode(await readNodeManifest(folder));
  } catch (error) {
    if (error instanceof FabricError) return false;
    throw error;
  }
}

async function hasMainPackage(folder: string, entries: readonly string[]): Promise<boolean> {
  for (const name of entries) {
    if (!/(?<!_test)\.go$/.test(name)) continue;
    const text = await readFileIfAny(join(folder, name));
    if (text && isMainPackage(text.toString("utf8"))) return true;
  }
  return false;
}

/** Jars, as a build installs them (gradlew installDist): beside each other, or in a folder of libraries. */
async function hasJars(folder: string, entries: readonly string[]): Promise<boolean> {
  if (entries.some(isJar)) return true;
  for (const name of ["lib", "libs"]) {
    if (entries.includes(name) && (await listed(join(folder, name))).some(isJar)) return true;
  }
  return false;
}

async function listed(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

async function goModuleRoot(folder: string): Promise<string | undefined> {
  if (await readFileIfAny(join(folder, "go.mod"))) return folder;
  const above = dirname(folder);
  return above === folder ? undefined : goModuleRoot(above);
}
