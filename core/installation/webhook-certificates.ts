import { X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { webhookObjects } from "../injection/webhook-objects.ts";
import { messageOf } from "../error.ts";
import { ifAllowed } from "../kubernetes/allowed.ts";
import { daysLeft, isIssuedBy, readCertificate } from "../fabric/identity/certificate.ts";
import type { V1MutatingWebhookConfiguration, V1Secret } from "../kubernetes/client-node.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { get, list } from "../kubernetes/objects.ts";
import { openPort } from "../kubernetes/port-forward.ts";

/** A certificate where it was found, and what there is to know of it there. */
export interface HeldCertificate {
  /** "Secret kubectl-fabric-webhook-tls" */
  readonly holder: string;
  /** authority: signs; trusted: in the API server's bundle; leaf: kept to be served; served: by a Pod, just now. */
  readonly role: "authority" | "trusted" | "leaf" | "served";
  /** Begin of its SHA-256 fingerprint. */
  readonly fingerprint?: string;
  /** The same of the trusted authority that signed it; its own for an authority. */
  readonly authority?: string;
  readonly daysLeft?: number;
  /** Why the API server could not go by it. */
  readonly problem?: string;
}

/** What was read of the cluster. */
export interface WebhookCertificates {
  readonly authority: string | undefined;
  readonly leaf: string | undefined;
  readonly trusted: readonly string[];
  readonly served: readonly ServedCertificate[];
}

type ServedCertificate =
  { readonly pod: string; readonly certificate: string } | { readonly pod: string; readonly problem: string };

/** The webhook's port in its Pods (manifests/base/deployment.yaml). */
const webhookPort = 8443;

/** Tells for each certificate whether the API server trusts it, and how long it lasts. Pure. */
export function heldCertificates(found: WebhookCertificates, now: Date): readonly HeldCertificate[] {
  const { authority, leaf, trusted, served } = found;
  const judged = (role: HeldCertificate["role"], holder: string, pem: string): HeldCertificate => {
    const signer = trusted.find((candidate) => isIssuedBy(pem, candidate) || candidate === pem);
    const left = daysLeft(readCertificate(pem), now);
    const problem = signer === undefined ? "no trusted authority signed it" : left < 0 ? "it has expired" : undefined;
    return {
      holder,
      role,
      fingerprint: fingerprintOf(pem),
      ...(signer === undefined ? {} : { authority: fingerprintOf(signer) }),
      daysLeft: left,
      ...(problem === undefined ? {} : { problem }),
    };
  };
  const { authority: authorityName, leaf: leafName, name: configuration } = webhookObjects;
  return [
    ...(authority === undefined ? [] : [judged("authority", `Secret ${authorityName}`, authority)]),
    ...trusted.map((pem) => judged("trusted", `MutatingWebhookConfiguration ${configuration}`, pem)),
    ...(leaf === undefined ? [] : [judged("leaf", `Secret ${leafName}`, leaf)]),
    ...served.map((one): HeldCertificate => {
      const holder = `Pod ${one.pod}`;
      return "problem" in one
        ? { holder, role: "served", problem: one.problem }
        : judged("served", holder, one.certificate);
    }),
  ];
}

function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.slice(0, 11);
}

/** Reads every certificate of the webhook that this user may read; asks each of its Pods for the one that it serves. */
export async function readWebhookCertificates(
  cluster: Cluster,
  configuration: V1MutatingWebhookConfiguration | undefined,
  signal: AbortSignal,
): Promise<WebhookCertificates> {
  const { namespace, authority, leaf, name: service } = webhookObjects;
  const secret = (name: string) => ifAllowed(get(cluster, { kind: "Secret", namespace, name }, signal));
  const bundles = (configuration?.webhooks ?? []).map(({ clientConfig }) => decoded(clientConfig.caBundle));
  const [authoritySecret, leafSecret, pods] = await Promise.all([
    secret(authority),
    secret(leaf),
    list(cluster, { kind: "Pod", namespace, labels: { "app.kubernetes.io/name": service } }, signal),
  ]);
  const running = pods.filter(({ status, metadata }) => status?.phase === "Running" && !metadata?.deletionTimestamp);
  const served = await Promise.all(
    running.map(({ metadata }) => servedBy(cluster, metadata?.name ?? "", bundles.join("\n"), signal)),
  );
  return {
    authority: firstOf(authoritySecret),
    leaf: firstOf(leafSecret),
    trusted: [...new Set(bundles.flatMap(certificatesOf))],
    served: served.filter((one) => one !== undefined),
  };
}

/** As the API server would connect: with the bundle's authorities and the Service's name. */
async function servedBy(
  cluster: Cluster,
  pod: string,
  bundle: string,
  signal: AbortSignal,
): Promise<ServedCertificate | undefined> {
  const { namespace, name: service } = webhookObjects;
  try {
    const socket = await ifAllowed(openPort(cluster, { namespace, pod, port: webhookPort }, signal));
    if (socket === undefined) return undefined;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const timer = setTimeout(() => reject(new Error("no answer within 10 s")), 10_000);
    const client = connect({ socket, ca: bundle, servername: `${service}.${namespace}.svc` });
    client.once("secureConnect", () => resolve(pemOf(client.getPeerCertificate().raw)));
    client.once("error", reject);
    try {
      return { pod, certificate: await promise };
    } finally {
      clearTimeout(timer);
      client.destroy();
      socket.destroy();
    }
  } catch (error) {
    if (signal.aborted) throw error;
    return { pod, problem: messageOf(error) };
  }
}

function pemOf(der: Buffer): string {
  return new X509Certificate(der).toString();
}

function firstOf(secret: V1Secret | undefined): string | undefined {
  return certificatesOf(decoded(secret?.data?.["tls.crt"]))[0];
}

function decoded(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString();
}

/** Of a bundle that may be empty. */
function certificatesOf(bundle: string): readonly string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}
