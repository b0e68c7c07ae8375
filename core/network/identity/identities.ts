import type { V1ConfigMap, V1Secret } from "../../kubernetes/client-node.ts";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
  issueTlsCertificate,
  type Credential,
  type NodeRole,
} from "../../fabric/identity/certificate-authority.ts";
import { daysLeft, isIssuedBy, matchesPrivateKey, readCertificate } from "../../fabric/identity/certificate.ts";
import { nodeOusConfig } from "../../fabric/identity/msp.ts";
import { serviceHosts } from "../../fabric/node/service-hosts.ts";
import { decode, encode, type IdentityData } from "./identity-secret.ts";
import { organizationLabels } from "../resources/labels.ts";
import { hostOf, type FabricNode } from "../resources/nodes.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/** An organization's two authorities: one for identities (enrolment), one for TLS, as cryptogen makes them. */
export interface Authorities {
  readonly enrolment: Credential;
  readonly tls: Credential;
}

export const authoritiesSecretName = "certificate-authorities";
/** The ConfigMap with an organization's public certificates, for other organizations. */
export const mspConfigMapName = "msp";

export async function newAuthorities({ name, namespace }: Organization, now: Date): Promise<Authorities> {
  const [enrolment, tls] = await Promise.all([
    createCertificateAuthority({ commonName: `ca.${namespace}`, organization: name, now }),
    createCertificateAuthority({ commonName: `tlsca.${namespace}`, organization: name, now }),
  ]);
  return { enrolment, tls };
}

export function authoritiesSecret(
  network: FabricNetwork,
  organization: Organization,
  { enrolment, tls }: Authorities,
): V1Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: authoritiesSecretName,
      namespace: organization.namespace,
      labels: { ...organizationLabels(network, organization), "app.kubernetes.io/component": "certificate-authority" },
    },
    type: "Opaque",
    immutable: true, // nothing replaces them
    data: encode({
      "ca.pem": enrolment.certificate,
      "ca-key.pem": enrolment.privateKey,
      "tlsca.pem": tls.certificate,
      "tlsca-key.pem": tls.privateKey,
    }),
  };
}

/** The authorities in a Secret; undefined when it lacks one of them. */
export function readAuthorities(secret: V1Secret): Authorities | undefined {
  const data = decode(secret);
  const credential = (name: string): Credential | undefined => {
    const [certificate, privateKey] = [data[`${name}.pem`], data[`${name}-key.pem`]];
    return certificate && privateKey ? { certificate, privateKey } : undefined;
  };
  const [enrolment, tls] = [credential("ca"), credential("tlsca")];
  return enrolment && tls && { enrolment, tls };
}

export function mspConfigMap(
  network: FabricNetwork,
  organization: Organization,
  authorities: Authorities,
): V1ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: mspConfigMapName,
      namespace: organization.namespace,
      labels: organizationLabels(network, organization),
    },
    data: { "ca.pem": authorities.enrolment.certificate, "tlsca.pem": authorities.tls.certificate },
  };
}

/** A request for an identity: its owner, and the names in its certificates. */
export interface IdentityRequest {
  /** "peer0", "admin": the Secret's name begins with it. */
  readonly name: string;
  readonly commonName: string;
  readonly role: NodeRole;
  /** DNS names and IP addresses of its TLS certificate; empty for a client. */
  readonly hosts: readonly string[];
}

export function nodeIdentity(node: FabricNode): IdentityRequest {
  return {
    name: node.name,
    commonName: hostOf(node),
    role: node.component,
    hosts: serviceHosts(node.name, node.organization.namespace),
  };
}

export function adminIdentity({ namespace }: Organization): IdentityRequest {
  return { name: "admin", commonName: `admin.${namespace}`, role: "admin", hosts: [] };
}

export async function issueIdentity(
  { enrolment, tls }: Authorities,
  { commonName, role, hosts }: IdentityRequest,
  now: Date,
): Promise<IdentityData> {
  const [identity, tlsIdentity] = await Promise.all([
    issueEnrolmentCertificate(enrolment, { commonName, role, now }),
    issueTlsCertificate(tls, { commonName, hosts, now }),
  ]);
  return {
    "msp-config.yaml": nodeOusConfig("cacerts/ca.pem"),
    "msp-ca.pem": enrolment.certificate,
    "msp-tlsca.pem": tls.certificate,
    "msp-cert.pem": identity.certificate,
    "msp-key.pem": identity.privateKey,
    "tls-ca.pem": tls.certificate,
    "tls-cert.pem": tlsIdentity.certificate,
    "tls-key.pem": tlsIdentity.privateKey,
  };
}

/** Why an existing identity does not satisfy a request; undefined when it does. */
export function identityDefect(
  identity: IdentityData,
  { enrolment, tls }: Authorities,
  request: IdentityRequest,
  now: Date,
): string | undefined {
  const info = readCertificate(identity["msp-cert.pem"]);
  const tlsInfo = readCertificate(identity["tls-cert.pem"]);
  if (!isIssuedBy(identity["msp-cert.pem"], enrolment.certificate)) return "it was issued by another authority";
  if (!isIssuedBy(identity["tls-cert.pem"], tls.certificate))
    return "its TLS certificate was issued by another authority";
  if (!matchesPrivateKey(identity["msp-cert.pem"], identity["msp-key.pem"])) return "its key does not match";
  if (!matchesPrivateKey(identity["tls-cert.pem"], identity["tls-key.pem"])) return "its TLS key does not match";
  if (!info.organizationalUnits.includes(request.role)) return `it is no ${request.role}`;
  const missing = request.hosts.filter((host) => !tlsInfo.hosts.includes(host));
  if (missing.length > 0) return `its TLS certificate lacks ${missing.join(", ")}`;
  if (daysLeft(info, now) < 0 || daysLeft(tlsInfo, now) < 0) return "it has expired";
  return undefined;
}

/** Whether a backup would have the same defect. */
export const isOutdated = (defect: string): boolean => /^it has expired$|^its TLS certificate lacks /.test(defect);
