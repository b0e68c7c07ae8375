import { type Address, printAddress } from "./address.ts";
import { type ChaincodePackage, packChaincode } from "./chaincode-package.ts";

/** Where a chaincode runs by itself, as a service that peers dial. */
export interface ChaincodeService {
  readonly label: string;
  readonly address: Address;
  /** A Go duration; 10 s unless told. */
  readonly dialTimeout?: string;
}

/** The package of a chaincode as a service, for the builder that a release brings (ccaas_builder; docs: cc_service.md). */
export function packServiceChaincode({
  label,
  address,
  dialTimeout = "10s",
}: ChaincodeService): Promise<ChaincodePackage> {
  const connection = { address: printAddress(address), dial_timeout: dialTimeout, tls_required: false };
  return packChaincode({ path: "", type: "ccaas", label }, [
    { name: "connection.json", content: Buffer.from(JSON.stringify(connection)) },
  ]);
}
