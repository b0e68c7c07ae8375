import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Authority, type KeyPair } from "./authority.ts";

/** One organization: its authorities, and directories as Fabric's binaries want them. */
export interface Organization {
  readonly mspId: string;
  readonly ca: Authority;
  readonly tlsCa: Authority;
  /** Of an administrator. */
  readonly admin: KeyPair;
  /** MSP directory of the administrator, for command line clients. */
  readonly adminMsp: string;
  /** PEM file. */
  readonly tlsCaFile: string;
}

export interface Node {
  readonly mspDirectory: string;
  readonly signer: KeyPair;
  readonly tls: KeyPair;
  /** Directory of server.crt, server.key and ca.crt. */
  readonly tlsDirectory: string;
}

export async function newOrganization(directory: string, mspId: string): Promise<Organization> {
  const ca = await Authority.create(`ca.${mspId}`);
  const tlsCa = await Authority.create(`tlsca.${mspId}`);
  const admin = await ca.issue({ commonName: "admin", unit: "admin" });
  const adminMsp = join(directory, mspId, "admin", "msp");
  await writeMsp(adminMsp, ca, tlsCa, admin);
  const tlsCaFile = join(directory, mspId, "tlsca.pem");
  await writeFile(tlsCaFile, tlsCa.certificate);
  return { mspId, ca, tlsCa, admin, adminMsp, tlsCaFile };
}

export async function newNode(
  directory: string,
  organization: Organization,
  name: string,
  unit: "peer" | "orderer",
): Promise<Node> {
  const { ca, tlsCa, mspId } = organization;
  const home = join(directory, mspId, name);
  const mspDirectory = join(home, "msp");
  const tlsDirectory = join(home, "tls");
  const signer = await ca.issue({ commonName: name, unit });
  await writeMsp(mspDirectory, ca, tlsCa, signer);
  const tls = await tlsCa.issue({ commonName: name, server: true });
  await mkdir(tlsDirectory, { recursive: true });
  await writeFile(join(tlsDirectory, "server.crt"), tls.certificate);
  await writeFile(join(tlsDirectory, "server.key"), tls.key);
  await writeFile(join(tlsDirectory, "ca.crt"), tlsCa.certificate);
  return { mspDirectory, signer, tls, tlsDirectory };
}

const nodeOus = ["Client", "Peer", "Admin", "Orderer"]
  .map(
    (role) =>
      `  ${role}OUIdentifier:\n    Certificate: cacerts/ca.pem\n    OrganizationalUnitIdentifier: ${role.toLowerCase()}\n`,
  )
  .join("");

async function writeMsp(directory: string, ca: Authority, tlsCa: Authority, signer: KeyPair): Promise<void> {
  const files = {
    "cacerts/ca.pem": ca.certificate,
    "tlscacerts/ca.pem": tlsCa.certificate,
    "signcerts/cert.pem": signer.certificate,
    "keystore/key.pem": signer.key,
    "config.yaml": `NodeOUs:\n  Enable: true\n${nodeOus}`,
  };
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(directory, name, ".."), { recursive: true });
    await writeFile(join(directory, name), content);
  }
}
