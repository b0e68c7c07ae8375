import { FabricError, messageOf } from "../../error.ts";
import { daysLeft, readCertificate } from "../../fabric/identity/certificate.ts";
import { committedDefinitions } from "../../fabric/chaincode/lifecycle.ts";
import { get } from "../../kubernetes/objects.ts";
import { channelHeights } from "../session/heights.ts";
import { identitySecretName, readIdentitySecret } from "../identity/identity-secret.ts";
import type { OpenNetwork } from "../session/open-network.ts";
import { lookAtPod } from "./pod-problem.ts";
import { reachPeer } from "../session/reach.ts";
import { nodesOf, type FabricNode } from "../resources/nodes.ts";
import { organizations } from "../resources/spec.ts";

interface ChannelStatus {
  readonly name: string;
  /** Blocks. */
  readonly height: number;
  /** "asset 1 (sequence 1)"; peers only. */
  readonly chaincodes: readonly string[];
}

interface NodeStatus {
  readonly organization: string;
  readonly namespace: string;
  readonly name: string;
  readonly component: "orderer" | "peer";
  readonly ready: boolean;
  /** The user may not look at it: nobody knows whether it is ready. */
  readonly forbidden?: true;
  /** The image that its Pod runs, which may not be the wanted one; undefined without a Pod. */
  readonly image?: string;
  /** The image that it is to run instead; undefined when it runs that, or the user may not look. */
  readonly wantedImage?: string;
  /** Why it is not ready, or could not be asked. */
  readonly problem?: string;
  readonly channels: readonly ChannelStatus[];
  /** Days until the first of its certificates ends; undefined when its Secret may not be read. */
  readonly certificateDaysLeft?: number;
}

export interface NetworkStatus {
  readonly network: string;
  /** The version that the definition asks for. */
  readonly fabricVersion: string;
  /** Whether every node that the user may look at runs the image that is wanted. */
  readonly upToDate: boolean;
  /** Whether every node that the user may look at is ready, and there is one. */
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
  const seen = nodes.filter(({ forbidden }) => !forbidden);
  return {
    network: metadata.name,
    fabricVersion: spec.fabricVersion,
    upToDate: seen.every(({ wantedImage }) => wantedImage === undefined),
    ready: seen.length > 0 && seen.every(({ ready }) => ready),
    nodes,
  };
}

async function nodeStatus(network: OpenNetwork, node: FabricNode, signal: AbortSignal, now: Date): Promise<NodeStatus> {
  const [look, certificateDaysLeft] = await Promise.all([
    lookAtPod(network, node, signal).then((found): Look => found, refused),
    certificateDays(network, node, signal, now),
  ]);
  const { problem, image, forbidden } = look;
  const wantedImage = network.definition.spec.images[node.component];
  const channels = problem === undefined ? await channelsOf(network, node, signal) : { problem };
  return {
    organization: node.organization.name,
    namespace: node.organization.namespace,
    name: node.name,
    component: node.component,
    ready: Array.isArray(channels),
    ...(forbidden ? { forbidden } : {}),
    ...(image === undefined ? {} : { image }),
    ...(forbidden === true || image === wantedImage ? {} : { wantedImage }),
    channels: Array.isArray(channels) ? channels : [],
    ...("problem" in channels ? { problem: channels.problem } : {}),
    ...(certificateDaysLeft === undefined ? {} : { certificateDaysLeft }),
  };
}

type Look = Partial<Awaited<ReturnType<typeof lookAtPod>>> & { readonly forbidden?: true };

function refused(error: unknown): Look {
  if (!(error instanceof FabricError) || error.code !== "forbidden") throw error;
  return { problem: `you may not look: ${error.message}`, forbidden: true };
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
    return await readChannels(network, node, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return { problem: messageOf(error) };
  }
}

async function readChannels(network: OpenNetwork, node: FabricNode, signal: AbortSignal): Promise<ChannelStatus[]> {
  const heights = await channelHeights(network, node, signal);
  const chaincodesOn = node.component === "peer" ? await chaincodes(network, node, signal) : () => Promise.resolve([]);
  return Promise.all(
    [...heights].map(async ([name, height]) => ({ name, height, chaincodes: await chaincodesOn(name) })),
  );
}

async function chaincodes(
  network: OpenNetwork,
  peer: FabricNode,
  signal: AbortSignal,
): Promise<(channel: string) => Promise<readonly string[]>> {
  const client = await reachPeer(network, peer, signal);
  return async (channel) => {
    const definitions = await committedDefinitions(client, channel);
    return definitions.map((it) => `${it.name} ${it.version} (sequence ${it.sequence})`);
  };
}
