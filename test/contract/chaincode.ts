import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ChaincodePackage } from "../../plugin/fabric/chaincode-package.ts";
import { packageChaincodeFolder } from "../../plugin/fabric/chaincode-source.ts";

/** The sample chaincode. */
export const assetFolder = join(import.meta.dirname, "../chaincode/asset-transfer");

/** The sample chaincode with its dependencies, which a fresh checkout lacks. */
export async function assetTransfer(label: string): Promise<ChaincodePackage> {
  if (!existsSync(join(assetFolder, "node_modules/fabric-shim"))) {
    await promisify(execFile)("npm", ["ci"], { cwd: assetFolder });
  }
  return packageChaincodeFolder(assetFolder, label);
}
