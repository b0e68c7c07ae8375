import { createHash } from "node:crypto";

/**
 * The settings of a peer that are part of the names of its chaincode containers and images
 * (core/container/dockercontroller/dockercontroller.go, GetVMName and GetVMNameForDocker).
 */
export interface ContainerOwner {
  /** CORE_PEER_NETWORKID: "dev" unless it is set. */
  readonly networkId: string;
  /** CORE_PEER_ID */
  readonly peerId: string;
}

/** The name of a package's container at a peer: "dev-peer0-asset-<sha256>". */
export function containerNameOf(owner: ContainerOwner, packageId: string): string {
  return prefixOf(owner) + sanitized(packageId);
}

/** The name of a package's image at a peer: the container's name and its hash, in lower case, without a tag. */
export function imageNameOf({ networkId, peerId }: ContainerOwner, packageId: string): string {
  const name = [networkId, peerId, packageId].filter(Boolean).join("-").replaceAll(":", "-");
  return `${sanitized(name)}-${createHash("sha256").update(name).digest("hex")}`.toLowerCase();
}

/** The ID of the package that a container runs; undefined when another peer named it, or the lifecycle before 2.0. */
export function packageOfContainer(owner: ContainerOwner, container: string): string | undefined {
  const prefix = prefixOf(owner);
  if (!container.startsWith(prefix)) return undefined;
  const [, label, hash] = /^(.+)-([0-9a-f]{64})$/.exec(container.slice(prefix.length)) ?? [];
  return label === undefined ? undefined : `${label}:${hash}`;
}

/** The ID of the package that an image was built from, its label in lower case; undefined as for `packageOfContainer`. */
export function packageOfImage(owner: ContainerOwner, repository: string): string | undefined {
  const [, name] = /^(.+-[0-9a-f]{64})-[0-9a-f]{64}$/.exec(repository) ?? [];
  if (name === undefined) return undefined;
  const lower = { networkId: owner.networkId.toLowerCase(), peerId: owner.peerId.toLowerCase() };
  return packageOfContainer(lower, name);
}

/**
 * The end of the name of every container that runs a package. It does not depend on the peer's network and ID, as the
 * beginning does (core/container/dockercontroller/dockercontroller.go, GetVMName).
 */
export function containerSuffix(packageId: string): string {
  return `-${sanitized(packageId)}`;
}

/** Whether a name has the form of a package's container or image, of any peer. */
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
