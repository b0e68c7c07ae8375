import { join } from "node:path";
import type { ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { packageChaincodeFolder } from "../../core/fabric/package/chaincode-source.ts";

/** The sample chaincode, with its dependencies (test/chaincode/install.ts). */
export const assetFolder = join(import.meta.dirname, "../chaincode/asset-transfer");

export function assetTransfer(label: string): Promise<ChaincodePackage> {
  return packageChaincodeFolder(assetFolder, label);
}
