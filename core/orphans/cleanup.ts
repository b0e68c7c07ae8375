import { FabricError } from "../error.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import type { OpenNetwork } from "../network/session/open-network.ts";
import type { Step } from "../engine/step.ts";
import { builderPlace } from "./places/builder-k8s.ts";
import { dindPlaces } from "./places/dind.ts";
import { newFactsReader, type FactsReader } from "./judgement/facts.ts";
import type { Source } from "./judgement/finding.ts";
import { hostDocker, type HostDocker } from "./places/host-docker.ts";
import type { NodeAccess } from "./places/node-pod.ts";
import { findPeers, type FoundPeers } from "./peers/peers.ts";
import type { PeerPod } from "./peers/peer-pod.ts";
import { peerProcess, peerStart, type PeerStart } from "./places/peer-start.ts";
import type { Place } from "./places/place.ts";
import { removalSteps } from "./removal-steps.ts";
import { servicePlace } from "./places/service.ts";
import { blindness, peersWithin, survey, within, type Blindness, type Scope, type Survey } from "./survey.ts";
import type { ToldIdentity } from "./judgement/told-identity.ts";

/** What to clean up. */
export interface CleanupRequest extends Scope {
  readonly sources: readonly Source[];
  /** Seconds. */
  readonly olderThan?: number | undefined;
  readonly identities: readonly ToldIdentity[];
  /** CORE_PEER_IDs of peers that are gone for good; "network/ID" when the network ID is not "dev". */
  readonly gonePeers: readonly string[];
  readonly nodes: NodeAccess;
}

/** The findings of a survey, and the steps that remove the orphans. */
export interface Leftovers extends Survey {
  readonly steps: readonly Step[];
}

/** The result of the first look, and what is open for the next one. */
export interface Cleanup extends Leftovers {
  /** Peers that may still build what they found at their start: their images are removed after that. */
  readonly starts: readonly PeerStart[];
  /** Looks at the same places again. */
  again(signal: AbortSignal): Promise<Leftovers>;
  /** Ends connections and removes the Pods that were made for the look. */
  close(): Promise<void>;
}

/**
 * Looks for orphans. `lasting` is the same cluster, by a connection that an interrupt does not end.
 * Throws `usage` when the scope names a peer or organization that is not there. Places that cannot be looked at are in the result.
 */
export async function openCleanup(
  { cluster, lasting }: { readonly cluster: Cluster; readonly lasting: Cluster },
  networks: readonly OpenNetwork[],
  request: CleanupRequest,
  signal: AbortSignal,
): Promise<Cleanup> {
  const definitions = networks.map(({ definition }) => definition);
  const found = await findPeers(cluster, definitions, signal);
  const chosen = peersWithin(request, found.peers);
  checkGone(request.gonePeers, found.peers);
  const facts = newFactsReader(cluster, networks, request.identities);
  const opened: { close(): Promise<unknown> }[] = [facts];
  const close = async () => {
    for (const one of opened.toReversed()) await one.close();
  };
  try {
    const context = { ...found, cluster, lasting, facts, gonePeers: request.gonePeers, access: request.nodes };
    const nodes = request.sources.includes("host-docker") ? await openNodes(context, signal) : undefined;
    if (nodes && "close" in nodes) opened.push(nodes);
    const places = placesOf(request, found, chosen, cluster, facts, nodes && "places" in nodes ? nodes.places : []);
    const again = (looking: AbortSignal) =>
      lookAt({ request, found, chosen, places, facts, blind: nodes && "blind" in nodes ? [nodes.blind] : [] }, looking);
    const leftovers = await again(signal);
    const building = chosen.filter(({ docker }) => request.sources.some((source) => daemonIn[docker] === source));
    const starts = await Promise.all(
      building.map(async (peer) => peerStart(peer.name, await facts.of(peer, signal), peerProcess(cluster, peer))),
    );
    return { ...leftovers, starts: starts.filter((start) => start !== undefined), again, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The source whose daemon a peer builds in. */
const daemonIn: Readonly<Record<PeerPod["docker"], Source | undefined>> = {
  sidecar: "dind",
  node: "host-docker",
  other: undefined,
};

interface Looking {
  readonly request: CleanupRequest;
  readonly found: FoundPeers;
  readonly chosen: readonly PeerPod[];
  readonly places: readonly Place[];
  readonly facts: FactsReader;
  /** The nodes, when their Docker could not be opened. */
  readonly blind: readonly Blindness[];
}

async function lookAt(looking: Looking, signal: AbortSignal): Promise<Leftovers> {
  const { request, found, chosen, places, facts } = looking;
  const age = () => ({ now: new Date(), olderThan: request.olderThan });
  const all = await survey(places, found.peers, facts, age(), signal);
  const blind = [
    ...all.blind,
    ...found.hidden.map((namespace): Blindness => ({
      place: `namespace ${namespace}`,
      code: "forbidden",
      because: "you may not read its Pods",
      hint: { kubectl: ["auth", "can-i", "list", "pods", "-n", namespace] },
    })),
    ...looking.blind,
  ];
  const result = within(request, { ...all, blind }, chosen);
  return { ...result, steps: removalSteps(places, result.findings, age) };
}

async function openNodes(
  context: Parameters<typeof hostDocker>[0],
  signal: AbortSignal,
): Promise<HostDocker | { readonly blind: Blindness }> {
  try {
    return await hostDocker(context, signal);
  } catch (error) {
    if (signal.aborted || !(error instanceof FabricError)) throw error;
    return { blind: blindness("host-docker", "all nodes", error) };
  }
}

function placesOf(
  { sources, gonePeers }: CleanupRequest,
  { everywhere, namespaces, peers }: FoundPeers,
  chosen: readonly PeerPod[],
  cluster: Cluster,
  facts: FactsReader,
  nodes: readonly Place[],
): readonly Place[] {
  const spaces = everywhere ? [undefined] : namespaces;
  const context = { cluster, peers, everywhere, facts, gonePeers };
  return [
    ...(sources.includes("dind") ? dindPlaces(cluster, chosen, facts) : []),
    ...nodes,
    ...(sources.includes("builder-k8s") ? spaces.map((namespace) => builderPlace(context, namespace)) : []),
    ...(sources.includes("service") ? spaces.map((namespace) => servicePlace(context, namespace)) : []),
  ];
}

/** Throws `usage` when --gone-peer names a peer that has a Pod. */
function checkGone(gone: readonly string[], peers: readonly PeerPod[]): void {
  for (const told of gone) {
    const [peerId, networkId] = told.split("/").toReversed();
    const alive = peers.find(
      ({ owner }) => owner?.peerId === peerId && (networkId === undefined || owner?.networkId === networkId),
    );
    if (!alive) continue;
    throw new FabricError(
      "usage",
      `expected --gone-peer to name a peer without a Pod, found ${alive.name}, which has one`,
    );
  }
}
