import { join } from "node:path";
import type { ChaincodePackage } from "../../plugin/fabric/chaincode-package.ts";
import { packageChaincodeFolder } from "../../plugin/fabric/chaincode-source.ts";

/** The sample chaincode, with its dependencies (test/chaincode/install.ts). */
export const assetFolder = join(import.meta.dirname, "../chaincode/asset-transfer");

export function assetTransfer(label: string): Promise<ChaincodePackage> {
  return packageChaincodeFolder(assetFolder, label);
}
