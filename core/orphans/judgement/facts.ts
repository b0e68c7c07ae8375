import { onceEach } from "../../engine/once.ts";
import { FabricError, messageOf } from "../../error.ts";
import { parseAddress } from "../../fabric/node/address.ts";
import {
  approvedDefinition,
  approvedDefinitions,
  committedDefinitions,
  installedChaincodes,
  installedPackage,
  type InstalledChaincode,
} from "../../fabric/chaincode/lifecycle.ts";
import type { NodeClient } from "../../fabric/node/node-client.ts";
import { connectNode, type NodeConnection } from "../../fabric/node/node-connection.ts";
import { peerChannels } from "../../fabric/channel/peer-channels.ts";
import { forwardPort, type Forward } from "../../kubernetes/port-forward.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import type { OpenNetwork } from "../../network/session/open-network.ts";
import { reachPeer } from "../../network/session/reach.ts";
import { hostOf, peerNodes } from "../../network/resources/nodes.ts";
import { allInOrder } from "./order.ts";
import { packageStates, type ChannelFacts } from "./package-state.ts";
import type { PeerFacts } from "./judgement.ts";
import type { PeerPod } from "../peers/peer-pod.ts";
import { remembered } from "./remembered.ts";
import type { ToldIdentity } from "./told-identity.ts";

/** The parts of a client that are kept between questions to a peer. */
type Reached = Pick<NodeClient, "connection" | "identity">;

/** Reads what peers know of their packages. */
export interface FactsReader {
  /** Facts of the last two seconds. Does not throw for a peer that cannot be asked: its facts are unknown, with the reason. */
  of(peer: PeerPod, signal: AbortSignal): Promise<PeerFacts>;
  /** A package's bytes as they were installed; undefined when the peer does not have it. Throws when the peer cannot be asked. */
  package(peer: PeerPod, packageId: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

const freshFor = 2000; // milliseconds
/** A peer that could not be asked is not asked again: each attempt takes time, and its things are kept anyway. */
const freshness = ({ known }: PeerFacts): number => (known ? freshFor : Infinity);
/** A peer that does not answer must not delay the others for longer. */
const patience = 20_000; // milliseconds

export function newFactsReader(
  cluster: Cluster,
  networks: readonly OpenNetwork[],
  told: readonly ToldIdentity[],
): FactsReader {
  const known = new Map<string, (signal: AbortSignal) => Promise<PeerFacts>>();
  const once = onceEach<Reached>();
  const opened: { close(): unknown }[] = [];
  const keep = <T extends Forward | NodeConnection>(one: T): T => {
    opened.push(one);
    return one;
  };
  const reach = async (peer: PeerPod, signal: AbortSignal): Promise<NodeClient> => {
    const reached = await once(peer.name, () => reachAny(cluster, networks, told, peer, keep, signal));
    return { ...reached, signal, timeout: patience };
  };
  return {
    of(peer, signal) {
      const asked =
        known.get(peer.name) ??
        remembered((asking: AbortSignal) => factsOf(peer, () => reach(peer, asking), asking), freshness);
      known.set(peer.name, asked);
      return asked(signal);
    },
    async package(peer, packageId, signal) {
      const client = await reach(peer, signal);
      return installedPackage(client, packageId);
    },
    async close() {
      await Promise.all(opened.map((one) => one.close()));
    },
  };
}

async function factsOf(peer: PeerPod, reach: () => Promise<NodeClient>, signal: AbortSignal): Promise<PeerFacts> {
  if (!peer.running) return { known: false, code: "not-ready", because: peer.absence ?? `${peer.name} does not run` };
  try {
    return { known: true, packages: await readPackages(await reach()) };
  } catch (error) {
    if (signal.aborted) throw error;
    const { code, hint } = error instanceof FabricError ? error : { code: "internal" as const, hint: undefined };
    return { known: false, code, because: `${peer.name} cannot be asked: ${steady(messageOf(error))}`, hint };
  }
}

/** A message without the parts that differ each time: grpc-js's waiting times, times of day, and local ports of forwards. */
export function steady(message: string): string {
  return message
    .replaceAll(/(Deadline exceeded) after [^\n]*/g, "$1")
    .replaceAll(/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)/g, "")
    .replaceAll(/\b127\.0\.0\.1:\d+/g, "127.0.0.1");
}

async function readPackages(client: NodeClient) {
  const [installed, channels] = await allInOrder([installedChaincodes(client), peerChannels(client)]);
  const facts = await allInOrder(
    channels.toSorted().map(async (channel): Promise<ChannelFacts> => {
      const committed = await committedDefinitions(client, channel);
      const approved =
        (await approvedDefinitions(client, channel)) ??
        (await approvedBefore31(client, { channel, committed }, installed));
      return { channel, committed, approved };
    }),
  );
  return packageStates(installed, facts);
}

/**
 * Fabric 2.5 answers for one name and one sequence only, so approvals of a name that was never committed are not seen. Reads from
 * the newest sequence down, until every package that no definition runs was found.
 */
async function approvedBefore31(
  client: NodeClient,
  { channel, committed }: Pick<ChannelFacts, "channel" | "committed">,
  installed: readonly InstalledChaincode[],
): Promise<ChannelFacts["approved"]> {
  const open = new Set(installed.filter(({ references }) => references.length === 0).map(({ packageId }) => packageId));
  const found: ChannelFacts["approved"][number][] = [];
  for (const { name, sequence: newest } of committed) {
    // Undefined asks for the next sequence, if it is approved already.
    for (const sequence of [undefined, ...descending(newest)]) {
      const approved = await approvedDefinition(client, channel, { name, sequence });
      if (approved) found.push(approved);
      if (approved?.packageId !== undefined && approved.sequence < newest) open.delete(approved.packageId);
      if (open.size === 0 && sequence !== undefined) break;
    }
  }
  return found;
}

const descending = (newest: number): readonly number[] => Array.from({ length: newest }, (_, index) => newest - index);

/** Connects to a peer, with an identity that the user gave, else with one of our network's Secrets. */
async function reachAny(
  cluster: Cluster,
  networks: readonly OpenNetwork[],
  told: readonly ToldIdentity[],
  peer: PeerPod,
  keep: <T extends Forward | NodeConnection>(one: T) => T,
  signal: AbortSignal,
): Promise<Reached> {
  const identity = told.find((one) => one.identity.mspId === peer.mspId);
  const network = networks.find(({ definition }) => definition.metadata.name === peer.network);
  const node = network && peerNodes(network.definition).find((one) => hostOf(one) === peer.name);
  if (network && node) {
    if (!identity) return reachPeer(network, node, signal);
    return { connection: await network.connection(node, signal), identity: identity.identity };
  }
  if (!identity) throw untold(peer);
  if (!peer.tls || peer.address === undefined || identity.tlsRootCertificates === "") throw unverifiable(peer);
  const { host, port } = parseAddress(peer.address);
  const target = { namespace: peer.namespace, pod: peer.pod, port: peer.port ?? port };
  const { host: local, port: forwarded, lastFailure } = keep(await forwardPort(cluster, target));
  const { tlsRootCertificates } = identity;
  const connection = keep(
    connectNode({ host: local, port: forwarded, serverName: host, tlsRootCertificates, lastFailure }),
  );
  return { connection, identity: identity.identity };
}

function untold({ name, mspId = "?" }: PeerPod): FabricError {
  return new FabricError("not-found", `no administrator of ${mspId} was told for ${name}`, {
    hint: [{ setting: "identities", to: `${mspId}=FOLDER` }, " names the MSP folder of an administrator"],
  });
}

function unverifiable({ name, mspId = "?" }: PeerPod): FabricError {
  return new FabricError(
    "invalid",
    `expected ${name} to have TLS and a literal CORE_PEER_ADDRESS, and tlscacerts in the MSP folder of ${mspId}`,
    { hint: [{ setting: "tlsAuthorities", to: `${mspId}=FILE` }, " names TLS authorities that are elsewhere"] },
  );
}
