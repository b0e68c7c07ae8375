import { common, msp, orderer, peer } from "@hyperledger/fabric-protos";
import { definitionFromConfig } from "../msp/definition.ts";
import { Msp, MspManager } from "../msp/msp.ts";
import { PolicyManager } from "../policy/policy-manager.ts";
import { envelopesOf } from "./block.ts";
import { checkChannelId } from "./config-map.ts";
import { openEnvelope } from "./envelope.ts";

export interface Consenter {
  /** host:port. */
  readonly address: string;
  /** PEM. */
  readonly clientTlsCertificate: string;
  /** PEM. */
  readonly serverTlsCertificate: string;
  /** Of a BFT consenter only: who signs its blocks. */
  readonly identity: { readonly id: number; readonly mspId: string; readonly certificate: string } | undefined;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Organization {
  readonly mspId: string;
  readonly msp: Msp;
  /** Of an application organization. */
  readonly anchorPeers: readonly Address[];
  /** Of an orderer organization: host:port. */
  readonly endpoints: readonly string[];
}

export interface OrdererSettings {
  readonly type: string;
  readonly maintenance: boolean;
  readonly maxMessageCount: number;
  readonly absoluteMaxBytes: number;
  readonly preferredMaxBytes: number;
  readonly batchTimeoutMilliseconds: number;
  readonly consenters: readonly Consenter[];
  readonly organizations: readonly Organization[];
}

/** A channel's configuration, read once: what Fabric calls a bundle (common/channelconfig/bundle.go). */
export class ChannelConfig {
  readonly channelId: string;
  readonly config: common.Config;
  readonly msps: MspManager;
  readonly policies: PolicyManager;
  readonly orderer: OrdererSettings;
  /** Absent in a channel without an Application group. */
  readonly applicationOrganizations: readonly Organization[] | undefined;
  readonly #root: common.ConfigGroup;

  /** Throws when the configuration cannot be used. */
  constructor(channelId: string, config: common.Config) {
    checkChannelId(channelId);
    const root = config.getChannelGroup();
    if (root === undefined) {
      throw new Error("nil channel group");
    }
    this.channelId = channelId;
    this.config = config;
    this.#root = root;
    const ordererOrganizations = organizationsOf(this.#group("Orderer"));
    this.applicationOrganizations = this.#group("Application") && organizationsOf(this.#group("Application"));
    const byName = new Map(
      [...ordererOrganizations, ...(this.applicationOrganizations ?? [])].map((org) => [org.mspId, org.msp]),
    );
    this.msps = new MspManager([...byName.values()]);
    this.policies = new PolicyManager("/Channel", root, this.msps);
    this.orderer = ordererSettings(this.#group("Orderer"), ordererOrganizations, this.#globalAddresses());
    checkCapabilities(root, "channel");
    checkCapabilities(this.#group("Orderer"), "orderer");
    checkCapabilities(this.#group("Application"), "application");
  }

  get sequence(): number {
    return this.config.getSequence();
  }

  organization(mspId: string): Organization | undefined {
    return this.applicationOrganizations?.find((org) => org.mspId === mspId);
  }

  hasConsortiums(): boolean {
    return this.#group("Consortiums") !== undefined;
  }

  /** host:port of every orderer that clients may use, with the TLS roots of its organization. */
  ordererEndpoints(): readonly {
    readonly address: string;
    readonly mspId: string;
    readonly tlsRoots: readonly string[];
  }[] {
    return this.orderer.organizations.flatMap(({ endpoints, mspId, msp: membership }) =>
      endpoints.map((address) => ({ address, mspId, tlsRoots: tlsRootsOf(membership) })),
    );
  }

  /** The policy that the ACLs of the channel name for a resource, if they do. */
  aclOf(resource: string): string | undefined {
    const value = valueOf(this.#group("Application"), "ACLs");
    const policy = value && peer.ACLs.deserializeBinary(value).getAclsMap().get(resource)?.getPolicyRef();
    return policy === undefined || policy === "" || policy.startsWith("/")
      ? policy || undefined
      : `/Channel/Application/${policy}`;
  }

  #group(name: string): common.ConfigGroup | undefined {
    return this.#root.getGroupsMap().get(name);
  }

  #globalAddresses(): readonly string[] {
    const value = valueOf(this.#root, "OrdererAddresses");
    return value === undefined ? [] : common.OrdererAddresses.deserializeBinary(value).getAddressesList();
  }
}

/** The configuration that a configuration block carries; throws when it carries none. */
export function configOfBlock(block: common.Block): { readonly channelId: string; readonly config: common.Config } {
  const [bytes] = envelopesOf(block);
  if (bytes === undefined) {
    throw new Error("block data is empty");
  }
  const { payload, channelHeader } = openEnvelope(common.Envelope.deserializeBinary(bytes));
  if (channelHeader.getType() !== common.HeaderType.CONFIG) {
    throw new Error(`invalid type ${channelHeader.getType()}, expected CONFIG`);
  }
  const config = common.ConfigEnvelope.deserializeBinary(payload.getData_asU8()).getConfig();
  if (config === undefined) {
    throw new Error("Nil config envelope Config");
  }
  return { channelId: channelHeader.getChannelId(), config };
}

export function tlsRootsOf(membership: Msp): readonly string[] {
  return [...membership.definition.tlsRoots, ...membership.definition.tlsIntermediates];
}

function organizationsOf(group: common.ConfigGroup | undefined): readonly Organization[] {
  const found: Organization[] = [];
  group?.getGroupsMap().forEach((org, key) => {
    const mspValue = valueOf(org, "MSP");
    if (mspValue === undefined) {
      throw new Error(`no MSP value for organization ${key}`);
    }
    const membership = new Msp(definitionFromConfig(msp.MSPConfig.deserializeBinary(mspValue)));
    const anchors = valueOf(org, "AnchorPeers");
    const endpoints = valueOf(org, "Endpoints");
    found.push({
      mspId: membership.name,
      msp: membership,
      anchorPeers:
        anchors === undefined ? [] : peer.AnchorPeers.deserializeBinary(anchors).getAnchorPeersList().map(addressOf),
      endpoints: endpoints === undefined ? [] : common.OrdererAddresses.deserializeBinary(endpoints).getAddressesList(),
    });
  });
  return found;
}

function addressOf(anchor: peer.AnchorPeer): Address {
  return { host: anchor.getHost(), port: anchor.getPort() };
}

function ordererSettings(
  group: common.ConfigGroup | undefined,
  organizations: readonly Organization[],
  globalAddresses: readonly string[],
): OrdererSettings {
  const batchSize = orderer.BatchSize.deserializeBinary(valueOf(group, "BatchSize") ?? new Uint8Array());
  const batchTimeout = orderer.BatchTimeout.deserializeBinary(valueOf(group, "BatchTimeout") ?? new Uint8Array());
  const consensus = orderer.ConsensusType.deserializeBinary(valueOf(group, "ConsensusType") ?? new Uint8Array());
  const anyEndpoint = organizations.some(({ endpoints }) => endpoints.length > 0);
  return {
    type: consensus.getType(),
    maintenance: consensus.getState() === orderer.ConsensusType.State.STATE_MAINTENANCE,
    maxMessageCount: batchSize.getMaxMessageCount(),
    absoluteMaxBytes: batchSize.getAbsoluteMaxBytes(),
    preferredMaxBytes: batchSize.getPreferredMaxBytes(),
    batchTimeoutMilliseconds: milliseconds(batchTimeout.getTimeout()),
    consenters: consentersOf(group, consensus),
    // Channels of before capability V1_4_2 name their orderers for all organizations at once.
    organizations: anyEndpoint
      ? organizations
      : organizations.map((org, index) => (index === 0 ? { ...org, endpoints: globalAddresses } : org)),
  };
}

function consentersOf(group: common.ConfigGroup | undefined, consensus: orderer.ConsensusType): readonly Consenter[] {
  const mapping = valueOf(group, "Orderers");
  if (consensus.getType() === "BFT" && mapping !== undefined) {
    return common.Orderers.deserializeBinary(mapping)
      .getConsenterMappingList()
      .map((one) => ({
        address: `${one.getHost()}:${one.getPort()}`,
        clientTlsCertificate: text(one.getClientTlsCert_asU8()),
        serverTlsCertificate: text(one.getServerTlsCert_asU8()),
        identity: { id: one.getId(), mspId: one.getMspId(), certificate: text(one.getIdentity_asU8()) },
      }));
  }
  return orderer.etcdraft.ConfigMetadata.deserializeBinary(consensus.getMetadata_asU8())
    .getConsentersList()
    .map((one) => ({
      address: `${one.getHost()}:${one.getPort()}`,
      clientTlsCertificate: text(one.getClientTlsCert_asU8()),
      serverTlsCertificate: text(one.getServerTlsCert_asU8()),
      identity: undefined,
    }));
}

/** Fabric refuses a configuration that asks for capabilities it does not know (common/capabilities). */
const known: Readonly<Record<string, readonly string[]>> = {
  channel: ["V1_1", "V1_3", "V1_4_2", "V1_4_3", "V2_0", "V3_0"],
  orderer: ["V1_1", "V1_4_2", "V2_0"],
  application: ["V1_1", "V1_2", "V1_3", "V1_4_2", "V2_0", "V2_5"],
};

function checkCapabilities(group: common.ConfigGroup | undefined, level: keyof typeof known): void {
  const value = valueOf(group, "Capabilities");
  if (value === undefined) {
    return;
  }
  common.Capabilities.deserializeBinary(value)
    .getCapabilitiesMap()
    .forEach((_: common.Capability, name: string) => {
      if (!(known[level] ?? []).includes(name)) {
        const title = level.charAt(0).toUpperCase() + level.slice(1);
        throw new Error(`${title} capability ${name} is required but not supported`);
      }
    });
}

function valueOf(group: common.ConfigGroup | undefined, key: string): Uint8Array | undefined {
  return group?.getValuesMap().get(key)?.getValue_asU8();
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}

const unitMilliseconds: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  µs: 0.001,
};

/** A Go duration such as `2s`, `500ms` or `1m30s`. */
export function milliseconds(duration: string): number {
  let total = 0;
  for (const [, amount, unit] of duration.matchAll(/([0-9.]+)(ms|us|µs|h|m|s)/g)) {
    total += Number(amount) * (unitMilliseconds[unit ?? ""] ?? 0);
  }
  return total;
}
