import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FabricError } from "../../error.ts";
import { describeProblem, readJson } from "../json-text.ts";

type Names = Readonly<Record<string, unknown>>;

/** The fields of package.json that packaging reads. */
export interface NodeManifest {
  readonly main?: unknown;
  readonly files?: unknown;
  readonly workspaces?: unknown;
  readonly scripts?: Names | undefined;
  readonly dependencies?: Names | undefined;
  readonly optionalDependencies?: Names | undefined;
  readonly devDependencies?: Names | undefined;
}

/** Reads the package.json of a folder. A byte order mark is passed over, as npm does. Throws `usage`. */
export async function readNodeManifest(folder: string): Promise<NodeManifest> {
  const file = join(folder, "package.json");
  const read = readJson((await readFile(file, "utf8")).replace(/^\ufeff/, ""));
  if ("problem" in read) {
    throw new FabricError("usage", `expected JSON in ${file}: ${describeProblem(read.problem)}`);
  }
  if (typeof read.value !== "object" || read.value === null || Array.isArray(read.value)) {
    throw new FabricError("usage", `expected an object in ${file}, found ${JSON.stringify(read.value)?.slice(0, 40)}`);
  }
  return manifestIn(read.value as Names);
}

/** Fields that are no objects of names, as npm does not take them either, count as none. */
function manifestIn(value: Names): NodeManifest {
  const names = (field: string): Names | undefined => {
    const found = value[field];
    return typeof found === "object" && found !== null && !Array.isArray(found) ? (found as Names) : undefined;
  };
  return {
    main: value["main"],
    files: value["files"],
    workspaces: value["workspaces"],
    scripts: names("scripts"),
    dependencies: names("dependencies"),
    optionalDependencies: names("optionalDependencies"),
    devDependencies: names("devDependencies"),
  };
}

/** Whether a package.json is one of chaincode: it starts something, or depends on what Node chaincode is written with. */
export const isNodeChaincode = ({ scripts = {}, dependencies = {} }: NodeManifest): boolean =>
  typeof scripts["start"] === "string" || ["fabric-shim", "fabric-contract-api"].some((name) => name in dependencies);
