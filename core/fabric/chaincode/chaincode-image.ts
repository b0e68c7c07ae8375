import { createHash } from "node:crypto";
import { FabricError } from "../../error.ts";

/** The settings of a peer that are part of the names of its chaincode images and containers. */
export interface PeerNames {
  /** CORE_PEER_NETWORKID; may be empty. */
  readonly networkId: string;
  /** CORE_PEER_ID; may be empty. */
  readonly peerId: string;
}

/**
 * The image that a peer runs a package from, without tag: the peer builds it only when its daemon has none of that name
 * (core/container/dockercontroller/dockercontroller.go, GetVMNameForDocker and Build). Throws `invalid` when Docker would not take it.
 */
export function chaincodeImageName(names: PeerNames, packageId: string): string {
  const name = fullName(names, packageId).replaceAll(":", "-");
  const hash = createHash("sha256").update(name).digest("hex");
  const image = `${sanitized(name)}-${hash}`.toLowerCase();
  if (/^[a-z0-9]+(([._-][a-z0-9]+)+)?$/.test(image)) return image;
  throw new FabricError("invalid", `expected an image name that Docker takes, found ${image}`, {
    hint: "the peer itself would refuse it: choose another CORE_PEER_ID, CORE_PEER_NETWORKID or label",
  });
}

/** The container that a peer runs a package in (GetVMName). */
export function chaincodeContainerName(names: PeerNames, packageId: string): string {
  return sanitized(fullName(names, packageId));
}

function fullName({ networkId, peerId }: PeerNames, packageId: string): string {
  return [networkId, peerId, packageId].filter((part) => part !== "").join("-");
}

function sanitized(name: string): string {
  return name.replace(/[^a-zA-Z0-9-_.]/g, "-");
}
