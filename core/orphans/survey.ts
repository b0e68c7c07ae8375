import { FabricError, type ErrorCode } from "../error.ts";
import type { Remedy } from "../remedy.ts";
import { eachBounded } from "../engine/bounded.ts";
import type { FactsReader } from "./judgement/facts.ts";
import type { Finding, Source } from "./judgement/finding.ts";
import type { AgeLimit } from "./judgement/judgement.ts";
import { inOrder } from "./judgement/order.ts";
import type { PeerPod } from "./peers/peer-pod.ts";
import type { Place } from "./places/place.ts";

/** A package that a peer has, but that is in no definition that we see. For information: peers cannot uninstall packages. */
interface UncommittedPackage {
  readonly peer: string;
  readonly packageId: string;
}

/** A place or peer that could not be looked at: its things are kept. */
export interface Blindness {
  /** Undefined for a peer, whose things are kept in every place, and for a namespace. */
  readonly source?: Source | undefined;
  readonly place: string;
  readonly code: ErrorCode;
  readonly because: string;
  readonly hint?: Remedy | undefined;
}

export interface Survey {
  readonly findings: readonly Finding[];
  readonly uncommitted: readonly UncommittedPackage[];
  readonly blind: readonly Blindness[];
}

/** The part of the findings that the user asked for; undefined for all. */
export interface Scope {
  /** The network's name. Peers that kubectl-fabric did not deploy are in no network. */
  readonly network?: string | undefined;
  readonly organizations?: readonly string[] | undefined;
  readonly peers?: readonly string[] | undefined;
}

const atOnce = 8;

/** Looks at every place, several at the same time. A place that cannot be looked at becomes a blindness. */
export async function survey(
  places: readonly Place[],
  peers: readonly PeerPod[],
  facts: FactsReader,
  age: AgeLimit,
  signal: AbortSignal,
): Promise<Survey> {
  const asked = await eachBounded(peers, atOnce, async (peer) => ({ peer, facts: await facts.of(peer, signal) }));
  const looks = await eachBounded(places, atOnce, (place) => lookAt(place, age, signal));
  return ordered({
    findings: looks.flatMap(({ findings }) => findings),
    uncommitted: asked.flatMap(({ peer, facts: known }) =>
      known.known
        ? [...known.packages].flatMap(([packageId, { state }]) =>
            state === "uncommitted" ? [{ peer: peer.name, packageId }] : [],
          )
        : [],
    ),
    blind: [
      ...asked.flatMap(({ peer, facts: known }): readonly Blindness[] =>
        known.known ? [] : [{ place: peer.name, code: known.code, because: known.because, hint: known.hint }],
      ),
      ...looks.flatMap(({ blind }) => blind),
    ],
  });
}

/** A survey in a fixed order: the same cluster gives the same table. */
export function ordered({ findings, uncommitted, blind }: Survey): Survey {
  return {
    findings: inOrder(
      findings,
      ({ source }) => source,
      ({ place }) => place,
      ({ kind }) => kind,
      ({ name }) => name,
      ({ id = "" }) => id,
    ),
    uncommitted: inOrder(
      uncommitted,
      ({ peer }) => peer,
      ({ packageId }) => packageId,
    ),
    blind: inOrder(
      blind,
      ({ source = "" }) => source,
      ({ place }) => place,
      ({ because }) => because,
    ),
  };
}

async function lookAt(place: Place, age: AgeLimit, signal: AbortSignal): Promise<Pick<Survey, "findings" | "blind">> {
  const { source, name } = place;
  try {
    return { findings: await place.look(age, signal), blind: [] };
  } catch (error) {
    if (signal.aborted || !(error instanceof FabricError)) throw error;
    return { findings: [], blind: [blindness(source, name, error)] };
  }
}

export function blindness(source: Source, place: string, { code, message, hint }: FabricError): Blindness {
  return { source, place, code, because: message, hint };
}

/** The peers of a scope: by organization's name or MSP ID, by peer's name or CORE_PEER_ID. Throws `usage` when one does not exist. */
export function peersWithin(
  { network, organizations, peers: names }: Scope,
  everybody: readonly PeerPod[],
): readonly PeerPod[] {
  const peers = network === undefined ? everybody : everybody.filter((peer) => peer.network === network);
  const isOf = (peer: PeerPod, name: string) => peer.organization === name || peer.mspId === name;
  const isCalled = (peer: PeerPod, name: string) => peer.name === name || peer.owner?.peerId === name;
  for (const [option, wanted, matches] of [
    ["--org", organizations, isOf],
    ["--peer", names, isCalled],
  ] as const) {
    const unknown = wanted?.find((name) => !peers.some((peer) => matches(peer, name)));
    if (unknown === undefined) continue;
    const known = [
      ...new Set(peers.map((peer) => (option === "--org" ? (peer.organization ?? peer.mspId) : peer.name))),
    ];
    throw new FabricError("usage", `expected ${option} to name one of ${known.join(", ")}, found ${unknown}`);
  }
  return peers.filter(
    (peer) =>
      (organizations?.some((name) => isOf(peer, name)) ?? true) &&
      (names?.some((name) => isCalled(peer, name)) ?? true),
  );
}

/** The part of a survey within a scope: things of its peers, and things of no known peer in their namespaces and daemons. */
export function within(scope: Scope, found: Survey, chosen: readonly PeerPod[]): Survey {
  const { network, organizations, peers } = scope;
  if (network === undefined && organizations === undefined && peers === undefined) return found;
  const names = new Set(chosen.map(({ name }) => name));
  const namespaces = new Set(chosen.map(({ namespace }) => `namespace ${namespace}`));
  const pods = new Set(chosen.map(({ namespace, pod }) => `${namespace}/${pod}`));
  return {
    findings: found.findings.filter(({ peer, place }) =>
      peer === undefined ? peers === undefined && (namespaces.has(place) || pods.has(place)) : names.has(peer),
    ),
    uncommitted: found.uncommitted.filter(({ peer }) => names.has(peer)),
    blind: found.blind.filter(({ source, place }) => source !== undefined || names.has(place) || namespaces.has(place)),
  };
}
