import { common, orderer, peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { type Address, parseAddress, printAddress } from "../node/address.ts";
import { bftBlockValidationPolicy, orderersValue, readOrderersValue } from "./bft.ts";
import { type ChannelConfig, cloneConfig, groupAt } from "./config.ts";
import { groupKeys, setPolicy, setValue, valueKeys } from "./config-group.ts";
import {
  anchorPeersValue,
  endpointsValue,
  type OrdererOrganization,
  ordererOrganizationGroup,
  type PeerOrganization,
  peerOrganizationGroup,
} from "./organization-group.ts";
import { checkConsenters, type Consenter, raftConsenter, readRaftConsenter } from "./raft.ts";

// Each of these gives a changed copy of a channel's configuration; computeConfigUpdate finds the difference.

/** An organization's anchor peers; an empty list when it has never set any. */
export function anchorPeers({ config }: ChannelConfig, mspId: string): readonly Address[] {
  const value = groupAt(config, [groupKeys.application, mspId]).getValuesMap().get(valueKeys.anchorPeers);
  if (!value) return [];
  return peer.AnchorPeers.deserializeBinary(value.getValue_asU8())
    .getAnchorPeersList()
    .map((anchor) => ({ host: anchor.getHost(), port: anchor.getPort() }));
}

/** Throws `not-found` when the organization is not in the channel. */
export function setAnchorPeers(current: ChannelConfig, mspId: string, peers: readonly Address[]): ChannelConfig {
  return changed(current, (config) => {
    setValue(groupAt(config, [groupKeys.application, mspId]), valueKeys.anchorPeers, anchorPeersValue(peers));
  });
}

/** Adds an organization that runs peers. Throws `conflict` when the channel has one of this MSP ID. */
export function addPeerOrganization(current: ChannelConfig, organization: PeerOrganization): ChannelConfig {
  return addOrganization(current, "application", organization.msp.mspId, peerOrganizationGroup(organization));
}

/** Adds an organization that runs orderers. Throws `conflict` when the channel has one of this MSP ID. */
export function addOrdererOrganization(current: ChannelConfig, organization: OrdererOrganization): ChannelConfig {
  return addOrganization(current, "orderer", organization.msp.mspId, ordererOrganizationGroup(organization));
}

/** Removes an organization. Throws `not-found`. */
export function removeOrganization(current: ChannelConfig, kind: keyof typeof groupKeys, mspId: string): ChannelConfig {
  groupAt(current.config, [groupKeys[kind], mspId]);
  return changed(current, (config) => {
    groupAt(config, [groupKeys[kind]]).getGroupsMap().del(mspId);
  });
}

/** The addresses of an organization's orderers. */
export function ordererEndpoints({ config }: ChannelConfig, mspId: string): readonly Address[] {
  const value = groupAt(config, [groupKeys.orderer, mspId]).getValuesMap().get(valueKeys.endpoints);
  if (!value) return [];
  return common.OrdererAddresses.deserializeBinary(value.getValue_asU8()).getAddressesList().map(parseAddress);
}

export function setOrdererEndpoints(
  current: ChannelConfig,
  mspId: string,
  endpoints: readonly Address[],
): ChannelConfig {
  return changed(current, (config) => {
    setValue(groupAt(config, [groupKeys.orderer, mspId]), valueKeys.endpoints, endpointsValue(endpoints));
  });
}

/** The orderers that take part in ordering, Raft or BFT. */
export function consenters({ config }: ChannelConfig): readonly Consenter[] {
  const group = groupAt(config, [groupKeys.orderer]);
  const type = consensusTypeOf(group);
  if (type.getType() === "etcdraft") return raftMetadataOf(type).getConsentersList().map(readRaftConsenter);
  return readOrderersValue(orderersOf(group));
}

/**
 * Replaces the TLS certificates of the consenter at an address. Only a new *key* needs this: orderers compare public keys, so
 * a certificate renewed with the key it had needs no update (since 1.4.9 and 2.2.1; docs, certs_management.md;
 * orderer/common/cluster/connections.go). One consenter at a time, in this order, or the channel loses its quorum: commit
 * the update, wait until *that orderer itself* has it in a block, restart it with the new key, see it active, then the next.
 * An orderer restarted too early does not find itself among the consenters. Throws `not-found`.
 */
export function replaceConsenter(current: ChannelConfig, replacement: Consenter): ChannelConfig {
  return changeConsenters(current, (list) => {
    const index = list.findIndex((consenter) => sameAddress(consenter, replacement));
    if (index < 0) throw notConsenter(replacement, list);
    return list.with(index, { ...list[index], ...replacement });
  });
}

/** Adds a consenter to a channel ordered by Raft. Throws `conflict` when its address is there. */
export function addConsenter(current: ChannelConfig, consenter: Consenter): ChannelConfig {
  return changeConsenters(current, (list) => {
    if (list.some((other) => sameAddress(other, consenter))) {
      throw new FabricError("conflict", `expected no consenter ${printAddress(consenter)} yet, found one`);
    }
    return [...list, consenter];
  });
}

/** Removes a consenter from a channel ordered by Raft. Throws `not-found`. */
export function removeConsenter(current: ChannelConfig, address: Address): ChannelConfig {
  return changeConsenters(current, (list) => {
    if (!list.some((other) => sameAddress(other, address))) throw notConsenter(address, list);
    return list.filter((other) => !sameAddress(other, address));
  });
}

function addOrganization(
  current: ChannelConfig,
  kind: keyof typeof groupKeys,
  mspId: string,
  group: common.ConfigGroup,
): ChannelConfig {
  return changed(current, (config) => {
    const groups = groupAt(config, [groupKeys[kind]]).getGroupsMap();
    if (groups.has(mspId)) {
      throw new FabricError("conflict", `expected no organization ${mspId} in ${current.channel} yet, found one`);
    }
    groups.set(mspId, group);
  });
}

function changeConsenters(
  current: ChannelConfig,
  change: (list: readonly Consenter[]) => readonly Consenter[],
): ChannelConfig {
  const list = change(consenters(current));
  checkConsenters(list);
  return changed(current, (config) => {
    const group = groupAt(config, [groupKeys.orderer]);
    const type = consensusTypeOf(group);
    if (type.getType() === "etcdraft") {
      const metadata = raftMetadataOf(type);
      metadata.setConsentersList(list.map(raftConsenter));
      type.setMetadata(metadata.serializeBinary());
      setValue(group, valueKeys.consensusType, type);
    } else {
      setBftConsenters(group, list);
    }
  });
}

/** BFT's consenters have identities too, and a policy that names them. */
function setBftConsenters(group: common.ConfigGroup, list: readonly Consenter[]): void {
  const before = readOrderersValue(orderersOf(group));
  const merged = list.map((consenter) => {
    const known = before.find((other) => sameAddress(other, consenter));
    if (!known) {
      throw new FabricError(
        "usage",
        `expected the identity of the BFT consenter ${printAddress(consenter)}, found none`,
      );
    }
    return { ...known, ...consenter };
  });
  setValue(group, valueKeys.orderers, orderersValue(merged));
  setPolicy(group, "BlockValidation", bftBlockValidationPolicy(merged));
}

function consensusTypeOf(group: common.ConfigGroup): orderer.ConsensusType {
  return orderer.ConsensusType.deserializeBinary(valueBytes(group, valueKeys.consensusType));
}

function raftMetadataOf(type: orderer.ConsensusType): orderer.etcdraft.ConfigMetadata {
  return orderer.etcdraft.ConfigMetadata.deserializeBinary(type.getMetadata_asU8());
}

function orderersOf(group: common.ConfigGroup): common.Orderers {
  return common.Orderers.deserializeBinary(valueBytes(group, valueKeys.orderers));
}

function valueBytes(group: common.ConfigGroup, key: string): Uint8Array {
  const value = group.getValuesMap().get(key);
  if (!value) throw new FabricError("invalid", `expected the value ${key} in the channel's configuration, found none`);
  return value.getValue_asU8();
}

function changed(current: ChannelConfig, change: (config: common.Config) => void): ChannelConfig {
  const copy = cloneConfig(current);
  change(copy.config);
  return copy;
}

function sameAddress(left: Address, right: Address): boolean {
  return left.host === right.host && left.port === right.port;
}

function notConsenter(address: Address, list: readonly Address[]): FabricError {
  return new FabricError(
    "not-found",
    `expected a consenter ${printAddress(address)}, found ${list.map(printAddress).join(", ")}`,
  );
}
