import type { Cluster } from "../../kubernetes/cluster.ts";
import { get } from "../../kubernetes/objects.ts";
import {
  forwardPort,
  resolveTarget,
  type Forward,
  type ForwardTarget,
  type PodPort,
} from "../../kubernetes/port-forward.ts";
import type { Credential } from "../../fabric/identity/certificate-authority.ts";
import type { Endpoint } from "../../fabric/node/endpoint.ts";
import { connectNode, type NodeConnection } from "../../fabric/node/node-connection.ts";
import { newSigningIdentity, type SigningIdentity } from "../../fabric/identity/signing-identity.ts";
import { onceEach } from "../../engine/once.ts";
import { FabricError } from "../../error.ts";
import { adminIdentityName, identitySecretName, readIdentitySecret } from "../identity/identity-secret.ts";
import { mspConfigMapName } from "../identity/identities.ts";
import { nodeTarget } from "../workload/node-target.ts";
import { hostOf, ports, type FabricNode } from "../resources/nodes.ts";
import type { FabricNetwork, Organization } from "../resources/spec.ts";

/** The public certificates of an organization, PEM. */
interface PublicCertificates {
  readonly root: string;
  readonly tlsRoot: string;
}

/** Who acts for an organization. */
export interface Administrator {
  readonly identity: SigningIdentity;
  /** For mutual TLS. */
  readonly tls: Credential;
}

/**
 * A network and connections to its nodes, for the time of a command or for months. What is read from the cluster is kept for minutes. A
 * connection closes while nobody uses it (`grpcTarget`), and opens again by itself. Local ports stay until `close`: an idle one costs the
 * cluster nothing, and a caller may still hold a connection over it.
 */
export interface OpenNetwork {
  readonly cluster: Cluster;
  readonly definition: FabricNetwork;
  /** Not older than a minute. Throws `forbidden` when the user may not read this organization's Secrets: RBAC is the permission model. */
  administrator(organization: Organization, signal: AbortSignal): Promise<Administrator>;
  /** Not older than a minute. */
  certificates(organization: Organization, signal: AbortSignal): Promise<PublicCertificates>;
  /** A port of a node, forwarded through the API server, with the names and authorities to verify it by. Throws `not-ready` when no Pod of it runs. */
  endpoint(node: FabricNode, port: number, signal: AbortSignal): Promise<Endpoint>;
  /** The gRPC services of a node, over one connection for all who ask; a new one when its TLS authority has changed. */
  connection(node: FabricNode, signal: AbortSignal): Promise<NodeConnection>;
  /** Registers something that `close` has to do. */
  atClose(cleanup: () => Promise<void>): void;
  close(): Promise<void>;
}

/** Milliseconds that certificates and administrators are kept: long beside the many questions of one command, short beside a renewal. */
const readAgainAfter = 60_000;
/**
 * Milliseconds for which a node counts as having a running Pod. Longer than `readAgainAfter`: when a Pod is replaced during a command, the
 * command should meet a lost connection, which the engine tries again, and not `not-ready`, which it does not. In a process of months a
 * node that is gone for good has to become `not-ready`: only then is another one of its organization asked.
 */
const lookAgainAfter = 5 * 60_000;

interface SessionOptions {
  /** Milliseconds of a clock that only goes forward. */
  readonly now?: () => number;
}

export function openNetwork(
  cluster: Cluster,
  definition: FabricNetwork,
  { now = () => performance.now() }: SessionOptions = {},
): OpenNetwork {
  const readOnce = onceEach<PublicCertificates>({ keptFor: () => readAgainAfter, now });
  const administratorOnce = onceEach<Administrator>({ keptFor: () => readAgainAfter, now });
  const lookOnce = onceEach<PodPort>({ keptFor: () => lookAgainAfter, now });
  const forwardOnce = onceEach<Forward>();
  const forwards: Forward[] = [];
  /** By node and TLS authority. Former connections stay: a caller may still be using one. */
  const connections = new Map<string, NodeConnection>();
  const cleanups: (() => Promise<void>)[] = [];
  let closed = false;
  /** After one failure of several parallel requests all is closed: what another request opens only then would stay open. */
  const checkOpen = () => {
    if (closed) throw new FabricError("interrupted", "the network was closed");
  };

  const certificates: OpenNetwork["certificates"] = (organization, signal) =>
    readOnce(organization.name, () => readCertificates(cluster, organization, signal));

  const openForward = async (target: ForwardTarget) => {
    checkOpen();
    const forward = await forwardPort(cluster, target);
    if (closed) await forward.close();
    checkOpen();
    forwards.push(forward);
    return forward;
  };

  const endpoint: OpenNetwork["endpoint"] = async (node, port, signal) => {
    const target = nodeTarget(node, port);
    const place = `${hostOf(node)}:${port}`;
    // A client of the local port sees only a reset when the connection cannot be made: so say before that no Pod runs.
    const [{ tlsRoot }] = await Promise.all([
      certificates(node.organization, signal),
      lookOnce(place, () => resolveTarget(cluster, target, signal)),
    ]);
    const { host, port: local, lastFailure } = await forwardOnce(place, () => openForward(target));
    return { host, port: local, serverName: hostOf(node), tlsRootCertificates: tlsRoot, lastFailure };
  };

  return {
    cluster,
    definition,
    certificates,
    endpoint,
    administrator: (organization, signal) =>
      administratorOnce(organization.name, () => readAdministrator(cluster, organization, signal)),
    async connection(node, signal) {
      const place = await endpoint(node, ports[node.component], signal);
      checkOpen();
      const key = `${place.serverName} ${place.tlsRootCertificates}`;
      const connection = connections.get(key) ?? connectNode(place);
      connections.set(key, connection);
      return connection;
    },
    atClose: (cleanup) => void cleanups.push(cleanup),
    async close() {
      closed = true;
      for (const connection of connections.values()) connection.close();
      await Promise.all([...forwards.map((forward) => forward.close()), ...cleanups.map((cleanup) => cleanup())]);
    },
  };
}

async function readAdministrator(
  cluster: Cluster,
  organization: Organization,
  signal: AbortSignal,
): Promise<Administrator> {
  const { namespace } = organization;
  const name = identitySecretName(adminIdentityName);
  const secret = await get(cluster, { kind: "Secret", namespace, name }, signal);
  const identity = secret && readIdentitySecret(secret);
  if (identity && !("missing" in identity)) {
    const signing = { certificate: identity["msp-cert.pem"], privateKey: identity["msp-key.pem"] };
    return {
      identity: inSecret(`${namespace}/${name}`, () => newSigningIdentity(organization.mspId, signing)),
      tls: { certificate: identity["tls-cert.pem"], privateKey: identity["tls-key.pem"] },
    };
  }
  const found = identity ? `lacks ${identity.missing.join(", ")}` : "is not there";
  throw new FabricError(
    "not-found",
    `expected the administrator's identity in Secret ${namespace}/${name}: it ${found}`,
    {
      hint: [{ operation: "init" }, " makes what is missing"],
    },
  );
}

/** Puts the Secret's name before the message of an error in what it holds. */
function inSecret<Result>(secret: string, read: () => Result): Result {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof FabricError)) throw cause;
    throw new FabricError(cause.code, `Secret ${secret}: ${cause.message}`, { hint: cause.hint, cause });
  }
}

async function readCertificates(
  cluster: Cluster,
  organization: Organization,
  signal: AbortSignal,
): Promise<PublicCertificates> {
  const { namespace } = organization;
  const map = await get(cluster, { kind: "ConfigMap", namespace, name: mspConfigMapName }, signal);
  const [root, tlsRoot] = [map?.data?.["ca.pem"], map?.data?.["tlsca.pem"]];
  if (root && tlsRoot) return { root, tlsRoot };
  throw new FabricError(
    "not-found",
    `expected the certificates of ${organization.name} in ConfigMap ${namespace}/${mspConfigMapName}`,
    {
      hint: [{ operation: "init" }, " makes what is missing"],
    },
  );
}
