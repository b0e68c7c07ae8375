import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { annotationKeys, documentationOf } from "./annotations.ts";
import { imageMatches, imageName, parseImage } from "./image.ts";
import { Denial, type DenialReason } from "./outcome.ts";
import { isDaemon } from "./own-daemon.ts";
import type { InjectionSettings } from "./settings.ts";

/** The container that runs the Fabric peer, and its place in the Pod's containers. */
export interface PeerContainer {
  readonly index: number;
  readonly container: V1Container;
}

/** A container's command and arguments, as far as the Pod has them. */
export function commandLine({ command, args }: V1Container): string {
  return [...(command ?? []), ...(args ?? [])].join(" ");
}

/** Signs of a peer, the surest first. A tools container may carry the variables, so they come last. */
const evidence: readonly ((container: V1Container) => boolean)[] = [
  (container) => /(?:^|[\s;&|(/"'])peer\s+node\s+start(?:$|[\s;&|)"'])/.test(commandLine(container)),
  (container) => isPeerImage(container.image ?? ""),
  ({ env }) => (env ?? []).some(({ name }) => name === "CORE_PEER_ID" || name === "CORE_PEER_ADDRESS"),
];

/** Whether an image has the name of Fabric's peer, or of somebody's build of it: fabric-peer, acme-peer. */
function isPeerImage(reference: string): boolean {
  const image = parseImage(reference);
  return image !== undefined && /(?:^|-)peer$/.test(imageName(image)) && imageName(image) !== "peer";
}

/**
 * Finds the peer: the container that the user names, else the only one with the surest sign.
 * Throws Denial when there is none or more than one; the sentence lists the candidates.
 */
export function findPeerContainer(pod: V1Pod, named: string | undefined): PeerContainer {
  const containers = pod.spec?.containers ?? [];
  const all = containers.map((container, index) => ({ index, container }));
  if (named !== undefined) return namedContainer(all, named);
  const candidates = all.filter(({ container }) => !isDaemon(container));
  for (const sign of evidence) {
    const found = candidates.filter(({ container }) => sign(container));
    const [only, another] = found;
    if (only !== undefined && another === undefined) return only;
    if (another !== undefined) throw undecided("peer-ambiguous", "several containers look like a Fabric peer", found);
  }
  throw undecided("peer-not-found", "no container looks like a Fabric peer", all);
}

/** Throws Denial unless the operator allows the peer's image: programs in it can reach the daemon. */
export function checkPeerImage({ container }: PeerContainer, { peerImages }: InjectionSettings): void {
  if (peerImages.includes("*")) return;
  const reference = container.image ?? "";
  const image = parseImage(reference);
  if (image !== undefined && peerImages.some((entry) => imageMatches(image, entry))) return;
  throw new Denial("not-allowed", {
    key: `image of ${container.name}`,
    value: reference,
    allowed: `an image that matches one of ${peerImages.join(", ")}`,
    documentation: documentationOf("settings"),
    setting: "peerImages",
  });
}

function namedContainer(all: readonly PeerContainer[], named: string): PeerContainer {
  const found = all.find(({ container }) => container.name === named);
  if (found !== undefined) return found;
  const key = annotationKeys.peerContainer;
  throw new Denial("peer-not-found", { key, value: named, allowed: namesOf(all), documentation: documentationOf(key) });
}

function undecided(reason: DenialReason, what: string, found: readonly PeerContainer[]): Denial {
  const key = annotationKeys.peerContainer;
  const problem = { key, value: "", allowed: namesOf(found), documentation: documentationOf(key) };
  return new Denial(reason, problem, `${what}: set the annotation ${key} to ${problem.allowed}`);
}

function namesOf(containers: readonly PeerContainer[]): string {
  const names = containers.map(({ container }) => container.name);
  return names.length === 0 ? "the name of a container" : `one of ${names.join(", ")}`;
}
