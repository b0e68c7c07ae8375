import { createHash } from "node:crypto";

/** What makes a chaincode's image and container one peer's own (core/container/dockercontroller/dockercontroller.go). */
export interface PeerNames {
  /** CORE_PEER_NETWORKID. */
  readonly networkId: string;
  /** CORE_PEER_ID. */
  readonly peerId: string;
}

/** Throws when Docker would not take the name. */
export function imageName(names: PeerNames, packageId: string): string {
  const name = fullName(names, packageId).replaceAll(":", "-");
  const hash = createHash("sha256").update(name).digest("hex");
  const image = `${sanitized(name)}-${hash}`.toLowerCase();
  if (!/^[a-z0-9]+(([._-][a-z0-9]+)+)?$/.test(image)) {
    throw new Error(`Error constructing Docker VM Name. '${image}' breaks Docker's repository naming rules`);
  }
  return image;
}

export function containerName(names: PeerNames, packageId: string): string {
  return sanitized(fullName(names, packageId));
}

function fullName({ networkId, peerId }: PeerNames, packageId: string): string {
  return [networkId, peerId, packageId].filter((part) => part !== "").join("-");
}

function sanitized(name: string): string {
  return name.replace(/[^a-zA-Z0-9-_.]/g, "-");
}
