import { createHash } from "node:crypto";

/**
 * What makes a chaincode's image and container one peer's own (core/container/dockercontroller/dockercontroller.go,
 * GetVMName and GetVMNameForDocker).
 */
export interface ContainerOwner {
  /** CORE_PEER_NETWORKID: "dev" where nobody set it. */
  readonly networkId: string;
  /** CORE_PEER_ID */
  readonly peerId: string;
}

/** "dev-peer0-asset-<sha256>": how a peer calls the container of a package. */
export function containerNameOf(owner: ContainerOwner, packageId: string): string {
  return prefixOf(owner) + sanitized(packageId);
}

/** How a peer calls the image of a package: the container's name and its hash, in lower case, without a tag. */
export function imageNameOf({ networkId, peerId }: ContainerOwner, packageId: string): string {
  const name = [networkId, peerId, packageId].filter(Boolean).join("-").replaceAll(":", "-");
  return `${sanitized(name)}-${createHash("sha256").update(name).digest("hex")}`.toLowerCase();
}

/** The package that a container of this peer runs; undefined when its name is another's, or of the lifecycle before 2.0. */
export function packageOfContainer(owner: ContainerOwner, container: string): string | undefined {
  const prefix = prefixOf(owner);
  if (!container.startsWith(prefix)) return undefined;
  const [, label, hash] = /^(.+)-([0-9a-f]{64})$/.exec(container.slice(prefix.length)) ?? [];
  return label === undefined ? undefined : `${label}:${hash}`;
}

/** The package that an image of this peer was made of, its label in lower case; undefined as above. */
export function packageOfImage(owner: ContainerOwner, repository: string): string | undefined {
  const [, name] = /^(.+-[0-9a-f]{64})-[0-9a-f]{64}$/.exec(repository) ?? [];
  if (name === undefined) return undefined;
  const lower = { networkId: owner.networkId.toLowerCase(), peerId: owner.peerId.toLowerCase() };
  return packageOfContainer(lower, name);
}

/**
 * The end of the name of every container that runs a package, whatever the peer's network and ID: they differ, it does not
 * (core/container/dockercontroller/dockercontroller.go, GetVMName).
 */
export function containerSuffix(packageId: string): string {
  return `-${sanitized(packageId)}`;
}

/** Whether something is named as peers name what they build and start for a package, whoever the peer is. */
export function isChaincodeName(name: string): boolean {
  return /.-[0-9a-f]{64}(-[0-9a-f]{64})?$/.test(name);
}

function prefixOf({ networkId, peerId }: ContainerOwner): string {
  return [networkId, peerId]
    .filter(Boolean)
    .map((part) => `${sanitized(part)}-`)
    .join("");
}

function sanitized(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_.-]/g, "-");
}
