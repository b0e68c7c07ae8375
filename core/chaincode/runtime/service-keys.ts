import { issueTlsCertificate, type Credential } from "../../fabric/identity/certificate-authority.ts";
import { daysLeft, isIssuedBy, matchesPrivateKey, readCertificate } from "../../fabric/identity/certificate.ts";
import { serviceHosts } from "../../fabric/node/service-hosts.ts";
import type { V1Secret } from "../../kubernetes/client-node.ts";
import { FabricError } from "../../error.ts";
import { apply } from "../../kubernetes/apply.ts";
import { createOrGet, get } from "../../kubernetes/objects.ts";
import { authoritiesOf } from "../../network/identity/identity-steps.ts";
import { decode, encode } from "../../network/identity/identity-secret.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import type { PeerOrganization } from "../../network/resources/spec.ts";
import type { Step } from "../../engine/step.ts";
import { serviceLabels, serviceName, type ServiceIdentity } from "./service-name.ts";
import { clientSecretName, keysSecretName, serversOf, type ServiceDesign } from "./service-objects.ts";

/** A server certificate is made anew when it has fewer days left than this. */
const renewalDays = 30;
/** Days, as long as its authority: the client's certificate is part of the package, and another one would be an upgrade. */
const clientDays = 3650;

/** The chaincode server's key and certificate, from the organization's TLS authority; renewed by the next deploy-cc. */
export function keysStep(network: OpenNetwork, design: ServiceDesign): Step {
  const { identity, organization } = design;
  const name = keysSecretName(identity);
  const ref = { kind: "Secret", namespace: organization.namespace, name } as const;
  const hosts = serversOf(design).flatMap((server) => serviceHosts(server.name, organization.namespace));
  return {
    id: `service/${organization.name}/keys`,
    title: `${organization.name} has TLS keys for ${serviceName(identity)}`,
    after: [],
    async observe({ signal }) {
      const secret = await get(network.cluster, ref, signal);
      if (!secret) return { is: "differs", change: "a certificate of the organization's TLS authority" };
      const { tlsRoot } = await network.certificates(organization, signal);
      const defect = keysDefect(decode(secret), tlsRoot, hosts, new Date());
      return defect === undefined ? { is: "so" } : { is: "differs", change: `a new certificate: ${defect}` };
    },
    async act({ signal }) {
      const { tls } = await authoritiesOf(network.cluster, organization, signal);
      const commonName = serviceName(identity);
      const keys = await issueTlsCertificate(tls, { commonName, hosts: [...new Set(hosts)], now: new Date() });
      await apply(network.cluster, secretOf(network, design, name, keys, tls.certificate), { signal });
    },
  };
}

/** Why these keys have to be made anew; undefined when they are good. */
export function keysDefect(
  { "tls.crt": certificate, "tls.key": privateKey }: Readonly<Record<string, string>>,
  root: string,
  hosts: readonly string[],
  now: Date,
): string | undefined {
  if (!certificate || !privateKey) return "the Secret lacks tls.crt or tls.key";
  if (!isIssuedBy(certificate, root)) return "it was issued by another authority";
  if (!matchesPrivateKey(certificate, privateKey)) return "its key does not match";
  const info = readCertificate(certificate);
  const missing = hosts.filter((host) => !info.hosts.includes(host));
  if (missing.length > 0) return `it lacks ${missing.join(", ")}`;
  const days = daysLeft(info, now);
  return days < renewalDays ? `${days} days left` : undefined;
}

/** The certificate that the chaincode server is to use now. Throws `not-ready` while there is none. */
export async function serverCertificate(
  network: OpenNetwork,
  { identity, organization }: ServiceDesign,
  signal: AbortSignal,
): Promise<string> {
  const ref = { kind: "Secret", namespace: organization.namespace, name: keysSecretName(identity) } as const;
  const secret = await get(network.cluster, ref, signal);
  const certificate = secret && decode(secret)["tls.crt"];
  if (certificate) return certificate;
  throw new FabricError("not-ready", `expected tls.crt in Secret ${ref.namespace}/${ref.name}, found none`);
}

/** The peers' client certificate for a chaincode that asks for one, and the step for the Secret that holds it. */
export interface ClientKeys {
  readonly credential: Credential;
  readonly step: Step;
}

/**
 * The peers' key to a chaincode with client authentication. It is part of the package, whose ID is part of the plan, so
 * it is made before the plan when there is none; the first to create the Secret wins.
 */
export async function clientKeys(
  network: OpenNetwork,
  identity: ServiceIdentity,
  organization: PeerOrganization,
  signal: AbortSignal,
): Promise<ClientKeys> {
  const name = clientSecretName(identity);
  const ref = { kind: "Secret", namespace: organization.namespace, name } as const;
  const read = async (at: AbortSignal): Promise<Credential | undefined> => {
    const secret = await get(network.cluster, ref, at);
    return secret && credentialOf(secret);
  };
  const existing = await read(signal);
  const credential = existing ?? (await newClient(network, organization, signal));
  const design = { identity, organization };
  return {
    credential,
    step: {
      id: `service/${organization.name}/client`,
      title: `${organization.name} has a client key for ${serviceName(identity)}`,
      after: [],
      async observe(context) {
        const found = await read(context.signal);
        if (!found) return { is: "differs", change: "a certificate of the organization's TLS authority" };
        if (found.privateKey === credential.privateKey) return { is: "so" };
        throw changedMeanwhile(ref);
      },
      async act(context) {
        const { tlsRoot } = await network.certificates(organization, context.signal);
        const wanted = secretOf(network, design, name, credential, tlsRoot);
        const { object } = await createOrGet(network.cluster, wanted, { signal: context.signal });
        if (credentialOf(object)?.privateKey !== credential.privateKey) throw changedMeanwhile(ref);
      },
    },
  };
}

async function newClient(
  network: OpenNetwork,
  organization: PeerOrganization,
  signal: AbortSignal,
): Promise<Credential> {
  const { tls } = await authoritiesOf(network.cluster, organization, signal);
  const commonName = `chaincode-client.${organization.namespace}`;
  return issueTlsCertificate(tls, { commonName, hosts: [], now: new Date(), days: clientDays });
}

function credentialOf(secret: V1Secret): Credential | undefined {
  const { "tls.crt": certificate, "tls.key": privateKey } = decode(secret);
  return certificate && privateKey ? { certificate, privateKey } : undefined;
}

function changedMeanwhile({ namespace, name }: { readonly namespace: string; readonly name: string }): FabricError {
  return new FabricError("conflict", `Secret ${namespace}/${name} was made by somebody else meanwhile`, {
    hint: "run the same command again: it uses that key",
  });
}

function secretOf(
  network: OpenNetwork,
  { identity, organization }: Pick<ServiceDesign, "identity" | "organization">,
  name: string,
  { certificate, privateKey }: Credential,
  root: string,
): V1Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      namespace: organization.namespace,
      labels: serviceLabels(network.definition, organization, identity),
    },
    type: "kubernetes.io/tls",
    data: encode({ "tls.crt": certificate, "tls.key": privateKey, "ca.crt": root }),
  };
}
