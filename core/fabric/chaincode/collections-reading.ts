import { peer } from "@hyperledger/fabric-protos";
import { printEndorsementPolicy } from "../policy/endorsement-policy.ts";
import { printSignaturePolicy, readSignaturePolicy } from "../policy/signature-policy.ts";

/** A committed collection, with the field names of the peer command's JSON. */
export interface CommittedCollection {
  readonly name: string;
  readonly policy: string;
  readonly requiredPeerCount: number;
  readonly maxPeerCount: number;
  readonly blockToLive: number;
  readonly memberOnlyRead: boolean;
  readonly memberOnlyWrite: boolean;
  readonly endorsementPolicy?: string;
}

/** The collections of a definition, in its order. */
export function readCollectionsBytes(bytes: Uint8Array): readonly CommittedCollection[] {
  return peer.CollectionConfigPackage.deserializeBinary(bytes)
    .getConfigList()
    .flatMap((entry) => {
      const collection = entry.getStaticCollectionConfig();
      return collection ? [committedCollection(collection)] : [];
    });
}

function committedCollection(collection: peer.StaticCollectionConfig): CommittedCollection {
  const members = collection.getMemberOrgsPolicy()?.getSignaturePolicy();
  const endorsement = collection.getEndorsementPolicy();
  return {
    name: collection.getName(),
    policy: members ? printSignaturePolicy(readSignaturePolicy(members)) : "",
    requiredPeerCount: collection.getRequiredPeerCount(),
    maxPeerCount: collection.getMaximumPeerCount(),
    blockToLive: collection.getBlockToLive(),
    memberOnlyRead: collection.getMemberOnlyRead(),
    memberOnlyWrite: collection.getMemberOnlyWrite(),
    ...(endorsement ? { endorsementPolicy: printEndorsementPolicy(endorsement.serializeBinary()) } : {}),
  };
}
