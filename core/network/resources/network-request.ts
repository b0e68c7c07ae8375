import { givenByUser } from "../../error.ts";
import type { ProfileName } from "../../injection/profile.ts";
import {
  fabricImage,
  parseNetwork,
  type FabricNetwork,
  type OrdererOrganization,
  type PeerOrganization,
} from "./spec.ts";

/** The options of `init`; all have defaults. */
export interface NetworkRequest {
  readonly name?: string | undefined;
  readonly fabricVersion?: string | undefined;
  readonly ordererOrganization?: string | undefined;
  readonly orderers?: number | undefined;
  readonly peerOrganizations?: readonly string[] | undefined;
  readonly peers?: number | undefined;
  readonly storageClass?: string | undefined;
  readonly profile?: ProfileName | undefined;
  /** `false`: idle chaincode is not stopped. */
  readonly chaincodeIdle?: string | false | undefined;
  readonly peerImage?: string | undefined;
  readonly ordererImage?: string | undefined;
  readonly peerMemory?: string | undefined;
  readonly ordererMemory?: string | undefined;
}

/**
 * The definition that the command line asks for. Parts that it leaves out stay as in the `existing` network; for a new network the
 * default is one orderer organization with three Raft orderers, and two organizations with a peer each. Throws `usage`.
 */
export function networkFor(request: NetworkRequest, existing?: FabricNetwork): FabricNetwork {
  const before = existing?.spec;
  const fabricVersion = request.fabricVersion ?? before?.fabricVersion ?? "3.1";
  const sameVersion = fabricVersion === before?.fabricVersion;
  const image = (component: "peer" | "orderer", asked: string | undefined) =>
    asked ?? (sameVersion ? before.images[component] : fabricImage(component, fabricVersion));
  const chaincodeIdle = request.chaincodeIdle ?? before?.chaincodeIdle;
  const className = request.storageClass ?? before?.storage.className;
  const profile = request.profile ?? before?.profile;
  const memory = memoryOf(request, before);
  const asked = {
    apiVersion: "kubectl-fabric.io/v1alpha1",
    kind: "FabricNetwork",
    metadata: { name: request.name ?? existing?.metadata.name ?? "fabric" },
    spec: {
      fabricVersion,
      images: { peer: image("peer", request.peerImage), orderer: image("orderer", request.ordererImage) },
      storage: {
        ...(className === undefined ? {} : { className }),
        ledger: before?.storage.ledger ?? "5Gi",
        docker: before?.storage.docker ?? "10Gi",
      },
      ...(profile === undefined ? {} : { profile }),
      ...(chaincodeIdle ? { chaincodeIdle } : {}),
      ...(memory === undefined ? {} : { memory }),
      ordererOrganization: ordererOrganization(request, before),
      peerOrganizations: peerOrganizations(request, before),
    },
  };
  return givenByUser(() => parseNetwork(asked, "the command line"));
}

function memoryOf(request: NetworkRequest, before: FabricNetwork["spec"] | undefined): FabricNetwork["spec"]["memory"] {
  const peer = request.peerMemory ?? before?.memory?.peer;
  const orderer = request.ordererMemory ?? before?.memory?.orderer;
  if (peer === undefined && orderer === undefined) return undefined;
  return { ...(peer === undefined ? {} : { peer }), ...(orderer === undefined ? {} : { orderer }) };
}

function ordererOrganization(request: NetworkRequest, before: FabricNetwork["spec"] | undefined): OrdererOrganization {
  const kept = before?.ordererOrganization;
  const organization = request.ordererOrganization ?? kept?.name ?? "orderer";
  const orderers = request.orderers ?? kept?.orderers ?? 3;
  return kept?.name === organization ? { ...kept, orderers } : { ...named(organization), orderers };
}

function peerOrganizations(request: NetworkRequest, before: FabricNetwork["spec"] | undefined): PeerOrganization[] {
  const kept = before?.peerOrganizations ?? [];
  const names = request.peerOrganizations ?? (before ? kept.map(({ name }) => name) : ["org1", "org2"]);
  return names.map((name) => {
    const organization = kept.find((other) => other.name === name);
    return { ...(organization ?? named(name)), peers: request.peers ?? organization?.peers ?? 1 };
  });
}

/** MSP ID and namespace of an organization: Org1MSP for org1, as in fabric-samples. */
function named(name: string): { name: string; mspId: string; namespace: string } {
  return { name, mspId: `${name.charAt(0).toUpperCase()}${name.slice(1)}MSP`, namespace: name };
}
