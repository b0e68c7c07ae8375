import { readFile, stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { FabricError, messageOf } from "../error.ts";
import { readChaincodePackage, type ChaincodePackage } from "../fabric/chaincode-package.ts";
import { packageChaincodeFolder } from "../fabric/chaincode-source.ts";

/** A package from what the user names: a folder of source code, or a package that is ready. Throws `usage` or `invalid`. */
export async function packageFrom(path: string, label: string): Promise<ChaincodePackage> {
  if (await isFolder(path)) return packageChaincodeFolder(path, label);
  if (/\.(tar\.gz|tgz)$/.test(path)) return readChaincodePackage(await readFile(path));
  throw new FabricError(
    "usage",
    `expected a folder or a package (.tar.gz), found the file ${basename(resolve(path))}`,
    {
      hint: "name the folder that has package.json, go.mod, pom.xml or build.gradle",
    },
  );
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw new FabricError("usage", `cannot read ${path}: ${messageOf(cause)}`, { cause });
  }
}
