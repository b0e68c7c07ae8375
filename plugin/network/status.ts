import { FabricError, messageOf } from "../error.ts";
import { daysLeft, readCertificate } from "../fabric/certificate.ts";
import { ordererChannel, ordererChannels } from "../fabric/channel-participation.ts";
import { committedDefinitions } from "../fabric/lifecycle.ts";
import { chainInfo, peerChannels } from "../fabric/peer-channels.ts";
import { get } from "../kube/objects.ts";
import { identitySecretName, readIdentitySecret } from "./identity-secret.ts";
import type { OpenNetwork } from "./open-network.ts";
import { podProblem } from "./pod-problem.ts";
import { reachPeer } from "./reach.ts";
import { nodesOf, organizations, ports, type FabricNode } from "./spec.ts";

export interface ChannelStatus {
  readonly name: string;
  /** Blocks. */
  readonly height: number;
  /** "asset 1 (sequence 1)"; peers only. */
  readonly chaincodes: readonly string[];
}

export interface NodeStatus {
  readonly organization: string;
  readonly namespace: string;
  readonly name: string;
  readonly component: "orderer" | "peer";
  readonly ready: boolean;
  /** Why it is not ready, or could not be asked. */
  readonly problem?: string;
  readonly channels: readonly ChannelStatus[];
  /** Days until the first of its certificates ends; undefined when its Secret may not be read. */
  readonly certificateDaysLeft?: number;
}

export interface NetworkStatus {
  readonly network: string;
  readonly fabricVersion: string;
  readonly ready: boolean;
  readonly nodes: readonly NodeStatus[];
}

/** Looks at every node, all at once. A node that does not answer is a line in the result, not a failure. */
export async function networkStatus(
  network: OpenNetwork,
  signal: AbortSignal,
  now = new Date(),
): Promise<NetworkStatus> {
  const nodes = await Promise.all(
    organizations(network.definition)
      .flatMap(nodesOf)
      .map((node) => nodeStatus(network, node, signal, now)),
  );
  const { metadata, spec } = network.definition;
  return {
    network: metadata.name,
    fabricVersion: spec.fabricVersion,
    ready: nodes.every(({ ready }) => ready),
    nodes,
  };
}

async function nodeStatus(network: OpenNetwork, node: FabricNode, signal: AbortSignal, now: Date): Promise<NodeStatus> {
  const [problem, certificateDaysLeft] = await Promise.all([
    podProblem(network, node, signal),
    certificateDays(network, node, signal, now),
  ]);
  const channels = problem === undefined ? await channelsOf(network, node, signal) : { problem };
  return {
    organization: node.organization.name,
    namespace: node.organization.namespace,
    name: node.name,
    component: node.component,
    ready: Array.isArray(channels),
    channels: Array.isArray(channels) ? channels : [],
    ...("problem" in channels ? { problem: channels.problem } : {}),
    ...(certificateDaysLeft === undefined ? {} : { certificateDaysLeft }),
  };
}

async function certificateDays(
  { cluster }: OpenNetwork,
  { name, organization: { namespace } }: FabricNode,
  signal: AbortSignal,
  now: Date,
): Promise<number | undefined> {
  try {
    const secret = await get(cluster, { kind: "Secret", namespace, name: identitySecretName(name) }, signal);
    const identity = secret && readIdentitySecret(secret);
    if (!identity || "missing" in identity) return undefined;
    const certificates = [
      identity["msp-cert.pem"],
      identity["tls-cert.pem"],
      identity["msp-ca.pem"],
      identity["tls-ca.pem"],
    ];
    return Math.min(...certificates.map((pem) => daysLeft(readCertificate(pem), now)));
  } catch (error) {
    if (error instanceof FabricError && error.code === "forbidden") return undefined;
    throw error;
  }
}

async function channelsOf(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<ChannelStatus[] | { readonly problem: string }> {
  try {
    return await (node.component === "orderer" ? ordererChannelsOf : peerChannelsOf)(network, node, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return { problem: messageOf(error) };
  }
}

async function ordererChannelsOf(
  network: OpenNetwork,
  node: FabricNode,
  signal: AbortSignal,
): Promise<ChannelStatus[]> {
  const [plain, { tls }] = await Promise.all([
    network.endpoint(node, ports.ordererAdmin, signal),
    network.administrator(node.organization, signal),
  ]);
  const endpoint = { ...plain, client: tls };
  const names = await ordererChannels(endpoint, { signal });
  return Promise.all(
    names.map(async (name) => {
      const channel = await ordererChannel(endpoint, name, { signal });
      return { name, height: channel?.height ?? 0, chaincodes: [] };
    }),
  );
}

async function peerChannelsOf(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<ChannelStatus[]> {
  const { connection, identity } = await reachPeer(network, node, signal);
  const names = await peerChannels(connection, identity, { signal });
  return Promise.all(
    names.map(async (name) => {
      const [info, definitions] = await Promise.all([
        chainInfo(connection, identity, name, { signal }),
        committedDefinitions(connection, identity, name, { signal }),
      ]);
      const chaincodes = definitions.map((it) => `${it.name} ${it.version} (sequence ${it.sequence})`);
      return { name, height: info.height, chaincodes };
    }),
  );
}
