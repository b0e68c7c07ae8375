import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodeStart } from "../../core/chaincode/runtime/service-objects.ts";
import {
  createCertificateAuthority,
  issueTlsCertificate,
  type Credential,
} from "../../core/fabric/identity/certificate-authority.ts";
import type { ChaincodePackage } from "../../core/fabric/package/chaincode-package.ts";
import { packServiceChaincode } from "../../core/fabric/package/service-chaincode.ts";
import type { PeerNode } from "../integration/emulator/network/network.ts";
import { freePorts } from "../integration/free-ports.ts";

/** What makes one service different from the usual: TLS, one package for each organization. */
export interface Variant {
  readonly clientAuth?: boolean;
  /** Whether the package has the client's key where the server asks for one. */
  readonly withoutClientKey?: boolean;
  /** What the server's certificate is good for; what peers dial unless told. */
  readonly hosts?: readonly string[];
  /** As it stands in the package. */
  readonly host?: string;
  /** The TLS authority that the package trusts; the organization's own unless told. */
  readonly root?: string;
}

/** A chaincode server that is still to be started, and the package that leads to it. */
export interface ChaincodeServer {
  readonly pkg: ChaincodePackage;
  readonly environment: Readonly<Record<string, string>>;
  /** As the plugin has Kubernetes start Node chaincode, variables filled in. */
  readonly command: readonly string[];
}

const leaf = (authority: Credential, hosts: readonly string[]): Promise<Credential> =>
  issueTlsCertificate(authority, { commonName: "asset", hosts, now: new Date() });

/** Writes the server's keys into the folder, from an authority made for it. */
export async function newChaincodeServer(
  folder: string,
  name: string,
  { organization }: PeerNode,
  { clientAuth = false, withoutClientKey = false, hosts = ["localhost"], host = "localhost", root }: Variant = {},
): Promise<ChaincodeServer> {
  const [port = 0] = await freePorts(1);
  const files = join(folder, `${name}-${organization.mspId}`);
  const authority = await createCertificateAuthority({
    commonName: "tlsca",
    organization: organization.mspId,
    now: new Date(),
  });
  const keys = await leaf(authority, hosts);
  writeFileSync(`${files}.key`, keys.privateKey);
  writeFileSync(`${files}.crt`, keys.certificate);
  writeFileSync(`${files}.ca`, authority.certificate);
  const pkg = await packServiceChaincode({
    label: name,
    address: { host, port },
    dialTimeout: "2s",
    tls: {
      rootCertificate: root ?? authority.certificate,
      client: clientAuth && !withoutClientKey ? await leaf(authority, []) : undefined,
    },
  });
  const environment: Readonly<Record<string, string>> = {
    CHAINCODE_SERVER_ADDRESS: `0.0.0.0:${port}`,
    CHAINCODE_ID: pkg.id,
    CHAINCODE_TLS_KEY: `${files}.key`,
    CHAINCODE_TLS_CERT: `${files}.crt`,
    CHAINCODE_CLIENT_CA_CERT: `${files}.ca`,
  };
  const command = nodeStart(clientAuth).map((word) =>
    word.replace(/\$\((\w+)\)/g, (_, variable: string) => environment[variable] ?? ""),
  );
  return { pkg, environment, command };
}
