import type { V1Secret, V1Volume } from "../../kubernetes/client-node.ts";
import { organizationLabels } from "../resources/labels.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/** The folder of an orderer's or peer's identity in its container. */
export const identityFolder = "/etc/hyperledger/identity";
export const mspFolder = `${identityFolder}/msp`;
export const tlsFolder = `${identityFolder}/tls`;

export const identitySecretName = (name: string): string => `${name}-identity`;
/** The organization's administrator, who signs where its policies require an admin. */
export const adminIdentityName = "admin";

/** Key within the Secret -> path below the identity's folder: Fabric's MSP layout (docs, "MSP structure"). */
const paths = {
  "msp-config.yaml": "msp/config.yaml",
  "msp-ca.pem": "msp/cacerts/ca.pem",
  "msp-tlsca.pem": "msp/tlscacerts/ca.pem",
  "msp-cert.pem": "msp/signcerts/cert.pem",
  "msp-key.pem": "msp/keystore/key.pem",
  "tls-ca.pem": "tls/ca.crt",
  "tls-cert.pem": "tls/server.crt",
  "tls-key.pem": "tls/server.key",
} as const;

export type IdentityData = Readonly<Record<keyof typeof paths, string>>;
const keys = Object.keys(paths) as (keyof typeof paths)[];

/** The Secret in Fabric's folder layout. Its files are world-readable, because the only container that mounts them is not root. */
export function identityVolume(secretName: string): V1Volume {
  return {
    name: "identity",
    secret: { secretName, items: keys.map((key) => ({ key, path: paths[key] })), defaultMode: 0o444 },
  };
}

export function identitySecret(
  network: FabricNetwork,
  organization: Organization,
  name: string,
  identity: IdentityData,
): V1Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: identitySecretName(name),
      namespace: organization.namespace,
      labels: { ...organizationLabels(network, organization), "app.kubernetes.io/component": "identity" },
    },
    type: "Opaque",
    data: encode(identity),
  };
}

/** The Secret's content, or the names of the keys that it lacks. */
export function readIdentitySecret(secret: V1Secret): IdentityData | { readonly missing: readonly string[] } {
  const data = decode(secret);
  const missing = keys.filter((key) => !data[key]);
  return isComplete(data) ? data : { missing };
}

function isComplete(data: Readonly<Record<string, string>>): data is IdentityData {
  return keys.every((key) => data[key]);
}

/** Text -> a Secret's base64. */
export function encode(data: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")]));
}

export function decode({ data = {} }: V1Secret): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(data).map(([key, base64]) => [key, Buffer.from(base64, "base64").toString()]),
  );
}
