import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { msp } from "@hyperledger/fabric-protos";
import { parse } from "yaml";
import type { MspDefinition, Role, RoleUnit } from "./msp.ts";

/** An MSP as the channel configuration carries it. */
export function definitionFromConfig(config: msp.MSPConfig): MspDefinition {
  const fabric = msp.FabricMSPConfig.deserializeBinary(config.getConfig_asU8());
  return {
    name: fabric.getName(),
    roots: certificates(fabric.getRootCertsList_asU8()),
    intermediates: certificates(fabric.getIntermediateCertsList_asU8()),
    admins: certificates(fabric.getAdminsList_asU8()),
    roleUnits: fabric.getFabricNodeOus()?.getEnable() ? roleUnitsOf(fabric.getFabricNodeOus()) : undefined,
    tlsRoots: fabric.getTlsRootCertsList_asU8().map(text),
    tlsIntermediates: fabric.getTlsIntermediateCertsList_asU8().map(text),
  };
}

/** An MSP as a node finds it in its MSP directory (msp/configbuilder.go). */
export function definitionFromDirectory(directory: string, name: string): MspDefinition {
  const roots = pemFiles(directory, "cacerts");
  if (roots.length === 0) {
    throw new Error(
      `Setup error: could not load a valid ca certificate from directory ${join(directory, "cacerts")}: stat ${join(directory, "cacerts")}: no such file or directory`,
    );
  }
  return {
    name,
    roots: certificates(roots),
    intermediates: certificates(pemFiles(directory, "intermediatecerts")),
    admins: certificates(pemFiles(directory, "admincerts")),
    roleUnits: roleUnitsFromDirectory(directory),
    tlsRoots: pemFiles(directory, "tlscacerts").map(text),
    tlsIntermediates: pemFiles(directory, "tlsintermediatecerts").map(text),
  };
}

/** The only file of a directory of an MSP, such as signcerts or keystore. */
export function soleFile(directory: string, folder: string): Buffer {
  const [file] = pemFiles(directory, folder);
  if (file === undefined) {
    throw new Error(`could not load a valid signer certificate from directory ${join(directory, folder)}`);
  }
  return file;
}

function pemFiles(directory: string, folder: string): readonly Buffer[] {
  const path = join(directory, folder);
  if (!existsSync(path)) {
    return [];
  }
  // A mounted Secret shows its own bookkeeping as `..data`.
  return readdirSync(path)
    .filter((name) => !name.startsWith(".."))
    .sort()
    .map((name) => readFileSync(join(path, name)));
}

interface RoleYaml {
  readonly Certificate?: string;
  readonly OrganizationalUnitIdentifier?: string;
}

interface MspYaml {
  readonly NodeOUs?: { readonly Enable?: boolean } & Readonly<Record<string, RoleYaml>>;
}

function roleUnitsFromDirectory(directory: string): MspDefinition["roleUnits"] {
  const path = join(directory, "config.yaml");
  const nodeOus = existsSync(path) ? ((parse(readFileSync(path, "utf8")) ?? {}) as MspYaml).NodeOUs : undefined;
  if (nodeOus?.Enable !== true) {
    return undefined;
  }
  const unit = (key: string, role: Role): readonly [Role, RoleUnit][] => {
    const found = nodeOus[key];
    return found?.OrganizationalUnitIdentifier === undefined
      ? []
      : [[role, { unit: found.OrganizationalUnitIdentifier, certifier: certifier(directory, found.Certificate) }]];
  };
  return Object.fromEntries([
    ...unit("ClientOUIdentifier", "client"),
    ...unit("PeerOUIdentifier", "peer"),
    ...unit("AdminOUIdentifier", "admin"),
    ...unit("OrdererOUIdentifier", "orderer"),
  ]);
}

function certifier(directory: string, file: string | undefined): X509Certificate | undefined {
  const path = join(directory, file ?? "");
  // Fabric only warns when the file is not there (msp/configbuilder.go).
  return file === undefined || file === "" || !existsSync(path) ? undefined : new X509Certificate(readFileSync(path));
}

function roleUnitsOf(nodeOus: msp.FabricNodeOUs | undefined): MspDefinition["roleUnits"] {
  const unit = (role: Role, identifier: msp.FabricOUIdentifier | undefined): readonly [Role, RoleUnit][] => {
    if (identifier === undefined) {
      return [];
    }
    const certificate = identifier.getCertificate_asU8();
    return [
      [
        role,
        {
          unit: identifier.getOrganizationalUnitIdentifier(),
          certifier: certificate.length === 0 ? undefined : new X509Certificate(certificate),
        },
      ],
    ];
  };
  return Object.fromEntries([
    ...unit("client", nodeOus?.getClientOuIdentifier()),
    ...unit("peer", nodeOus?.getPeerOuIdentifier()),
    ...unit("admin", nodeOus?.getAdminOuIdentifier()),
    ...unit("orderer", nodeOus?.getOrdererOuIdentifier()),
  ]);
}

function certificates(pems: readonly Uint8Array[]): readonly X509Certificate[] {
  return pems.map((pem) => new X509Certificate(pem));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
