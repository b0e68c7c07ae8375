import { goFields } from "../go-fields.ts";
import { type Address, printAddress } from "../node/address.ts";
import { chaincodeFiles, type ChaincodePackage, packChaincode } from "./chaincode-package.ts";
import type { Credential } from "../identity/certificate-authority.ts";
import type { ArchiveFile } from "./tarball.ts";

/** A chaincode that runs as a service, to which peers connect. */
export interface ChaincodeService {
  readonly label: string;
  /** May hold a template that each peer fills in: "asset-{{.peername}}.org1". */
  readonly address: Address;
  /** A Go duration; 10 s unless given. */
  readonly dialTimeout?: string;
  readonly tls?: ServiceTls | undefined;
  /** Files below META-INF: CouchDB indexes. */
  readonly metadata?: readonly ArchiveFile[];
}

/** The certificates by which a peer and its chaincode verify each other. */
interface ServiceTls {
  /**
   * PEM of the authority that signed the server's certificate. That certificate has to be for the address's host: ccaas_builder drops
   * any other name (ccaas_builder/cmd/build).
   */
  readonly rootCertificate: string;
  /** The peer's client certificate and key, for a chaincode that asks for them. Every reader of the package can read the key, too. */
  readonly client?: Credential | undefined;
}

/** The package of a chaincode as a service, for the builder that a release brings (ccaas_builder; docs: cc_service.md). */
export function packServiceChaincode({
  label,
  address,
  dialTimeout = "10s",
  tls,
  metadata = [],
}: ChaincodeService): Promise<ChaincodePackage> {
  const connection = { address: printAddress(address), dial_timeout: dialTimeout, ...tlsOf(tls) };
  return packChaincode({ path: "", type: "ccaas", label }, [
    { name: "connection.json", content: Buffer.from(JSON.stringify(connection)) },
    ...metadata,
  ]);
}

/** core/container/externalbuilder/instance.go, ChaincodeServerUserData. */
function tlsOf(tls: ServiceTls | undefined): object {
  if (!tls) return { tls_required: false };
  const { rootCertificate, client } = tls;
  return {
    tls_required: true,
    root_cert: rootCertificate,
    ...(client
      ? { client_auth_required: true, client_key: client.privateKey, client_cert: client.certificate }
      : { client_auth_required: false }),
  };
}

/** The address in a package's connection.json; undefined when it has none. */
export async function connectionAddress(pkg: ChaincodePackage): Promise<string | undefined> {
  const files = await chaincodeFiles(pkg);
  const connection = files.find(({ name }) => name.replace(/^\.?\/?/, "") === "connection.json");
  if (!connection) return undefined;
  const { address } = goFields(JSON.parse(Buffer.from(connection.content).toString("utf8")), ["address"]);
  return typeof address === "string" ? address : undefined;
}
