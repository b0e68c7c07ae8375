import { annotationPrefix } from "../../injection/annotations.ts";
import type { ChannelGenesis } from "../../fabric/channel/genesis.ts";
import { mspDefinition } from "../../fabric/identity/msp.ts";
import type { V1ConfigMap } from "../../kubernetes/client-node.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { get, list } from "../../kubernetes/objects.ts";
import { FabricError } from "../../error.ts";
import { identitySecretName, readIdentitySecret } from "../identity/identity-secret.ts";
import { organizationLabels } from "../resources/labels.ts";
import type { OpenNetwork } from "../session/open-network.ts";
import { hostOf, nodesOf, ordererNodes, ports, type FabricNode } from "../resources/nodes.ts";
import type { FabricNetwork, PeerOrganization } from "../resources/spec.ts";

const channelConfigMapPrefix = "channel-";
const genesisKey = "genesis.block";
const componentLabel = "app.kubernetes.io/component";
const channelAnnotation = `${annotationPrefix}channel`;

export const channelConfigMapName = (channel: string): string => channelConfigMapPrefix + channel.toLowerCase();

/** The genesis block, kept by the orderer organization: every orderer and peer has to be given the same bytes. */
export function channelConfigMap(network: OpenNetwork, channel: string, block: Uint8Array): V1ConfigMap {
  const { ordererOrganization } = network.definition.spec;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: channelConfigMapName(channel),
      namespace: ordererOrganization.namespace,
      labels: {
        ...organizationLabels(network.definition, ordererOrganization),
        [componentLabel]: "channel",
      },
      annotations: { [channelAnnotation]: channel },
    },
    binaryData: { [genesisKey]: Buffer.from(block).toString("base64") },
  };
}

/** The channels that were made of a network, in order. Throws `forbidden`. */
export async function channelNames(
  cluster: Cluster,
  network: FabricNetwork,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { ordererOrganization } = network.spec;
  const labels = { ...organizationLabels(network, ordererOrganization), [componentLabel]: "channel" };
  const maps = await list(cluster, { kind: "ConfigMap", namespace: ordererOrganization.namespace, labels }, signal);
  return maps.flatMap(({ metadata }) => metadata?.annotations?.[channelAnnotation] ?? []).sort();
}

/** The stored genesis block; undefined when the channel has not been made. */
export async function readGenesis(
  network: OpenNetwork,
  channel: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { namespace } = network.definition.spec.ordererOrganization;
  const ref = { kind: "ConfigMap", namespace, name: channelConfigMapName(channel) } as const;
  const map = await get(network.cluster, ref, signal);
  const block = map?.binaryData?.[genesisKey];
  return block === undefined ? undefined : Buffer.from(block, "base64");
}

/** All organizations of the network on one channel: every orderer a consenter, the first peer of each organization its anchor. */
export async function channelGenesis(network: OpenNetwork, name: string, signal: AbortSignal): Promise<ChannelGenesis> {
  const { ordererOrganization, peerOrganizations } = network.definition.spec;
  const orderers = ordererNodes(network.definition);
  const [ordererCertificates, peerCertificates, consenters] = await Promise.all([
    network.certificates(ordererOrganization, signal),
    Promise.all(peerOrganizations.map((organization) => network.certificates(organization, signal))),
    Promise.all(orderers.map((node) => consenterOf(network, node, signal))),
  ]);
  return {
    name,
    consensus: { type: "raft", consenters },
    // Fabric's samples wait 2 s for a block to fill; each invoke and each step of a deployment would wait that long.
    batch: { timeout: "500ms", maxMessageCount: 500 },
    ordererOrganizations: [
      {
        msp: mspDefinition(ordererOrganization.mspId, ordererCertificates.root, ordererCertificates.tlsRoot),
        endpoints: orderers.map((node) => ({ host: hostOf(node), port: ports.orderer })),
      },
    ],
    peerOrganizations: peerOrganizations.map((organization, index) => ({
      msp: mspDefinition(
        organization.mspId,
        peerCertificates[index]?.root ?? "",
        peerCertificates[index]?.tlsRoot ?? "",
      ),
      anchorPeers: anchorPeers(organization),
    })),
  };
}

export function anchorPeers(
  organization: PeerOrganization,
): readonly { readonly host: string; readonly port: number }[] {
  return nodesOf(organization)
    .slice(0, 1)
    .map((node) => ({ host: hostOf(node), port: ports.peer }));
}

async function consenterOf(network: OpenNetwork, node: FabricNode, signal: AbortSignal) {
  const ref = { kind: "Secret", namespace: node.organization.namespace, name: identitySecretName(node.name) } as const;
  const secret = await get(network.cluster, ref, signal);
  const identity = secret && readIdentitySecret(secret);
  if (!identity || "missing" in identity) {
    throw new FabricError(
      "not-found",
      `expected the identity of ${hostOf(node)} in Secret ${ref.namespace}/${ref.name}`,
      {
        hint: [{ operation: "init" }, " makes what is missing"],
      },
    );
  }
  const certificate = identity["tls-cert.pem"];
  return {
    host: hostOf(node),
    port: ports.orderer,
    clientTlsCertificate: certificate,
    serverTlsCertificate: certificate,
  };
}
