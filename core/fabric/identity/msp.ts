import { msp } from "@hyperledger/fabric-protos";
import { stringify } from "yaml";
import { FabricError } from "../../error.ts";
import { splitCertificates } from "./certificate.ts";
import type { Credential, NodeRole } from "./certificate-authority.ts";

/** What a channel knows of an organization: how to tell its members. All certificates are PEM. */
export interface MspDefinition {
  readonly mspId: string;
  readonly rootCertificates: readonly string[];
  readonly intermediateCertificates?: readonly string[];
  readonly tlsRootCertificates: readonly string[];
  readonly tlsIntermediateCertificates?: readonly string[];
  /** Certificate revocation lists, PEM. */
  readonly revocationLists?: readonly string[];
  /** Certificates of identities that are administrators whatever their role. With NodeOUs none are needed. */
  readonly admins?: readonly string[];
  /** Roles by organizational unit, as cryptogen and fabric-ca write them. On unless false. */
  readonly nodeOus?: boolean;
}

/** A node's identity and its organization's authorities, for the files of an MSP folder. All PEM. */
export interface LocalMsp {
  readonly identity: Credential;
  readonly rootCertificate: string;
  readonly tlsRootCertificate: string;
}

/** Names that Fabric accepts as the key of a configuration group (common/configtx/validator.go, validateConfigID). */
const mspIdPattern = /^[a-zA-Z0-9.-]{1,249}$/;
const fabricMspType = 0; // msp/msp.go, FABRIC
const roles = ["client", "peer", "admin", "orderer"] as const satisfies readonly NodeRole[];
const caFile = "cacerts/ca.pem";

/** Throws `usage` unless Fabric accepts the MSP ID as the name of a group and in a policy. */
export function checkMspId(mspId: string): void {
  if (mspIdPattern.test(mspId) && mspId !== "." && mspId !== "..") return;
  throw new FabricError("usage", `expected an MSP ID of letters, digits, "." and "-", found "${mspId}"`, {
    hint: "an MSP ID looks like Org1MSP",
  });
}

/**
 * A node's or an administrator's local MSP: path below its MSP folder -> content (PEM or YAML).
 * Folders are msp/configbuilder.go's; Fabric finds the key by its content, not by its file's name.
 */
export function localMsp({
  identity,
  rootCertificate,
  tlsRootCertificate,
}: LocalMsp): Readonly<Record<string, string>> {
  return {
    [caFile]: rootCertificate,
    "tlscacerts/tlsca.pem": tlsRootCertificate,
    "signcerts/cert.pem": identity.certificate,
    "keystore/key.pem": identity.privateKey,
    "config.yaml": nodeOusConfig(caFile),
  };
}

/** An MSP folder's config.yaml: the role of an identity is its organizational unit. `certificate` is the CA's file in that folder. */
export function nodeOusConfig(certificate: string): string {
  const identifiers = roles.map((role) => [
    `${role[0]?.toUpperCase()}${role.slice(1)}OUIdentifier`,
    { Certificate: certificate, OrganizationalUnitIdentifier: role },
  ]);
  return stringify({ NodeOUs: { Enable: true, ...Object.fromEntries(identifiers) } });
}

/** The definition as a channel's configuration contains it (msp/configbuilder.go, getMspConfig). */
export function mspConfig(definition: MspDefinition): msp.MSPConfig {
  const config = new msp.MSPConfig();
  config.setType(fabricMspType);
  config.setConfig(fabricMspConfig(definition).serializeBinary());
  return config;
}

/** Reads what `mspConfig` writes. Throws `invalid` when it is not an X.509 MSP (idemix). */
export function readMspConfig(config: msp.MSPConfig): MspDefinition {
  if (config.getType() !== fabricMspType) {
    throw new FabricError("invalid", `expected an X.509 MSP (type 0), found type ${config.getType()}`);
  }
  const fabric = msp.FabricMSPConfig.deserializeBinary(config.getConfig_asU8());
  return {
    mspId: fabric.getName(),
    rootCertificates: texts(fabric.getRootCertsList_asU8()),
    intermediateCertificates: texts(fabric.getIntermediateCertsList_asU8()),
    tlsRootCertificates: texts(fabric.getTlsRootCertsList_asU8()),
    tlsIntermediateCertificates: texts(fabric.getTlsIntermediateCertsList_asU8()),
    revocationLists: texts(fabric.getRevocationListList_asU8()),
    admins: texts(fabric.getAdminsList_asU8()),
    nodeOus: fabric.getFabricNodeOus()?.getEnable() ?? false,
  };
}

function fabricMspConfig(definition: MspDefinition): msp.FabricMSPConfig {
  checkMspId(definition.mspId);
  if (definition.rootCertificates.length === 0) {
    throw new FabricError("usage", `expected a root certificate of ${definition.mspId}, found none`);
  }
  const config = new msp.FabricMSPConfig();
  config.setName(definition.mspId);
  config.setRootCertsList(definition.rootCertificates.map(bytes));
  config.setIntermediateCertsList((definition.intermediateCertificates ?? []).map(bytes));
  config.setTlsRootCertsList(definition.tlsRootCertificates.map(bytes));
  config.setTlsIntermediateCertsList((definition.tlsIntermediateCertificates ?? []).map(bytes));
  config.setRevocationListList((definition.revocationLists ?? []).map(bytes));
  config.setAdminsList((definition.admins ?? []).map(bytes));
  config.setCryptoConfig(cryptoConfig());
  if (definition.nodeOus ?? true) config.setFabricNodeOus(nodeOus(definition));
  return config;
}

function cryptoConfig(): msp.FabricCryptoConfig {
  const config = new msp.FabricCryptoConfig();
  config.setSignatureHashFamily("SHA2");
  config.setIdentityIdentifierHashFunction("SHA256");
  return config;
}

function nodeOus({ rootCertificates, intermediateCertificates = [] }: MspDefinition): msp.FabricNodeOUs {
  // With a certificate here, the unit counts only when this authority issued the identity (msp/mspimpl.go, hasOURole).
  // Of several authorities any may issue it: Fabric allows that for an identifier without certificate.
  const only = rootCertificates.length === 1 && intermediateCertificates.length === 0;
  const certificate = only ? rootCertificates[0] : undefined;
  const identifier = (role: NodeRole) => {
    const ou = new msp.FabricOUIdentifier();
    ou.setOrganizationalUnitIdentifier(role);
    if (certificate !== undefined) ou.setCertificate(bytes(certificate));
    return ou;
  };
  const ous = new msp.FabricNodeOUs();
  ous.setEnable(true);
  ous.setClientOuIdentifier(identifier("client"));
  ous.setPeerOuIdentifier(identifier("peer"));
  ous.setAdminOuIdentifier(identifier("admin"));
  ous.setOrdererOuIdentifier(identifier("orderer"));
  return ous;
}

function bytes(pem: string): Uint8Array {
  return Buffer.from(pem, "utf8");
}

function texts(list: readonly Uint8Array[]): readonly string[] {
  return list.map((entry) => Buffer.from(entry).toString("utf8"));
}

/** An organization's definition from the bundles it publishes. */
export function mspDefinition(mspId: string, rootBundle: string, tlsRootBundle: string): MspDefinition {
  return {
    mspId,
    rootCertificates: splitCertificates(rootBundle),
    tlsRootCertificates: splitCertificates(tlsRootBundle),
  };
}
