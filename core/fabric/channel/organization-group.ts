import { common, peer } from "@hyperledger/fabric-protos";
import { printAddress, type Address } from "../node/address.ts";
import { configGroup, type PolicyText, valueKeys } from "./config-group.ts";
import { mspConfig, type MspDefinition } from "../identity/msp.ts";

/** An organization that runs peers, as a channel knows it. */
export interface PeerOrganization {
  readonly msp: MspDefinition;
  /** Peers that other organizations' peers gossip with. */
  readonly anchorPeers?: readonly Address[];
}

/** An organization that runs orderers. */
export interface OrdererOrganization {
  readonly msp: MspDefinition;
  /** Its orderers as peers and clients reach them. */
  readonly endpoints: readonly Address[];
}

/** The group of an organization below Application; its policies are the test network's (fabric-samples, configtx.yaml). */
export function peerOrganizationGroup({ msp, anchorPeers = [] }: PeerOrganization): common.ConfigGroup {
  const id = msp.mspId;
  return configGroup({
    values: {
      [valueKeys.msp]: mspConfig(msp),
      ...(anchorPeers.length > 0 && { [valueKeys.anchorPeers]: anchorPeersValue(anchorPeers) }),
    },
    policies: {
      Readers: `OR('${id}.admin', '${id}.peer', '${id}.client')`,
      Writers: `OR('${id}.admin', '${id}.client')`,
      Admins: `OR('${id}.admin')`,
      Endorsement: `OR('${id}.peer')`,
    } satisfies Record<string, PolicyText>,
  });
}

/** The group of an organization below Orderer. */
export function ordererOrganizationGroup({ msp, endpoints }: OrdererOrganization): common.ConfigGroup {
  const id = msp.mspId;
  return configGroup({
    values: {
      [valueKeys.msp]: mspConfig(msp),
      ...(endpoints.length > 0 && { [valueKeys.endpoints]: endpointsValue(endpoints) }),
    },
    policies: {
      Readers: `OR('${id}.member')`,
      Writers: `OR('${id}.member')`,
      Admins: `OR('${id}.admin')`,
    } satisfies Record<string, PolicyText>,
  });
}

export function anchorPeersValue(anchorPeers: readonly Address[]): peer.AnchorPeers {
  const value = new peer.AnchorPeers();
  value.setAnchorPeersList(
    anchorPeers.map(({ host, port }) => {
      const anchor = new peer.AnchorPeer();
      anchor.setHost(host);
      anchor.setPort(port);
      return anchor;
    }),
  );
  return value;
}

export function endpointsValue(endpoints: readonly Address[]): common.OrdererAddresses {
  const value = new common.OrdererAddresses();
  value.setAddressesList(endpoints.map(printAddress));
  return value;
}
