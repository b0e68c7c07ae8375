import { createHash } from "node:crypto";
import { common, msp, orderer, peer } from "@hyperledger/fabric-protos";
import type { Organization } from "./organization.ts";

export interface ConsenterSpec {
  readonly host: string;
  readonly port: number;
  /** PEM. */
  readonly tlsCertificate: string;
  /** Of a BFT consenter: its MSP and signing certificate. */
  readonly identity?: { readonly mspId: string; readonly certificate: string };
}

export interface ChannelSpec {
  readonly channelId: string;
  readonly ordererOrganization: Organization;
  readonly consenters: readonly ConsenterSpec[];
  readonly organizations: readonly {
    readonly organization: Organization;
    readonly anchor: { readonly host: string; readonly port: number };
  }[];
  readonly consensus?: "etcdraft" | "BFT";
}

interface Serializable {
  serializeBinary(): Uint8Array;
}

/** The genesis block of a channel, of capabilities V2_0 (V3_0 for BFT) and V2_5. */
export function genesisBlock(spec: ChannelSpec): common.Block {
  const config = new common.Config();
  config.setChannelGroup(channelGroup(spec));
  const content = new common.ConfigEnvelope();
  content.setConfig(config);
  const channelHeader = new common.ChannelHeader();
  channelHeader.setType(common.HeaderType.CONFIG);
  channelHeader.setChannelId(spec.channelId);
  channelHeader.setVersion(1);
  const signatureHeader = new common.SignatureHeader();
  signatureHeader.setNonce(Buffer.alloc(24, 1));
  const header = new common.Header();
  header.setChannelHeader(channelHeader.serializeBinary());
  header.setSignatureHeader(signatureHeader.serializeBinary());
  const payload = new common.Payload();
  payload.setHeader(header);
  payload.setData(content.serializeBinary());
  const envelope = new common.Envelope();
  envelope.setPayload(payload.serializeBinary());
  return blockOf(envelope);
}

function blockOf(envelope: common.Envelope): common.Block {
  const bytes = envelope.serializeBinary();
  const data = new common.BlockData();
  data.setDataList([bytes]);
  const header = new common.BlockHeader();
  header.setDataHash(createHash("sha256").update(bytes).digest());
  const block = new common.Block();
  block.setHeader(header);
  block.setData(data);
  const metadata = new common.BlockMetadata();
  metadata.setMetadataList(Array.from({ length: 5 }, () => new Uint8Array()));
  block.setMetadata(metadata);
  return block;
}

function channelGroup(spec: ChannelSpec): common.ConfigGroup {
  const group = newGroup();
  setMetaPolicies(group);
  setValue(group, "HashingAlgorithm", named(new common.HashingAlgorithm(), "SHA256"));
  const width = new common.BlockDataHashingStructure();
  width.setWidth(4294967295);
  setValue(group, "BlockDataHashingStructure", width);
  setValue(group, "Capabilities", capabilities(spec.consensus === "BFT" ? "V3_0" : "V2_0"));
  group.getGroupsMap().set("Orderer", ordererGroup(spec));
  group.getGroupsMap().set("Application", applicationGroup(spec));
  return group;
}

function ordererGroup(spec: ChannelSpec): common.ConfigGroup {
  const group = newGroup();
  setMetaPolicies(group);
  setConsensus(group, spec);
  const size = new orderer.BatchSize();
  size.setMaxMessageCount(10);
  size.setAbsoluteMaxBytes(99 * 1024 * 1024);
  size.setPreferredMaxBytes(512 * 1024);
  setValue(group, "BatchSize", size);
  const timeout = new orderer.BatchTimeout();
  timeout.setTimeout("100ms");
  setValue(group, "BatchTimeout", timeout);
  setValue(group, "Capabilities", capabilities("V2_0"));
  const organization = organizationGroup(spec.ordererOrganization);
  const endpoints = new common.OrdererAddresses();
  endpoints.setAddressesList(spec.consenters.map(({ host, port }) => `${host}:${port}`));
  setValue(organization, "Endpoints", endpoints);
  group.getGroupsMap().set(spec.ordererOrganization.mspId, organization);
  return group;
}

function setConsensus(group: common.ConfigGroup, spec: ChannelSpec): void {
  const consensus = new orderer.ConsensusType();
  consensus.setType(spec.consensus ?? "etcdraft");
  if (spec.consensus === "BFT") {
    consensus.setMetadata(new orderer.smartbft.Options().serializeBinary());
    setValue(group, "Orderers", consenterMapping(spec.consenters));
    setPolicy(group, "BlockValidation", quorumPolicy(spec.consenters));
  } else {
    consensus.setMetadata(raftMetadata(spec.consenters).serializeBinary());
    setPolicy(group, "BlockValidation", metaPolicy("ANY", "Writers"));
  }
  setValue(group, "ConsensusType", consensus);
}

function consenterMapping(consenters: readonly ConsenterSpec[]): common.Orderers {
  const mapping = new common.Orderers();
  consenters.forEach(({ host, port, tlsCertificate, identity }, index) => {
    const consenter = new common.Consenter();
    consenter.setId(index + 1);
    consenter.setHost(host);
    consenter.setPort(port);
    consenter.setMspId(identity?.mspId ?? "");
    consenter.setIdentity(Buffer.from(identity?.certificate ?? ""));
    consenter.setClientTlsCert(Buffer.from(tlsCertificate));
    consenter.setServerTlsCert(Buffer.from(tlsCertificate));
    mapping.addConsenterMapping(consenter);
  });
  return mapping;
}

/** Signed by three of four consenters themselves. */
function quorumPolicy(consenters: readonly ConsenterSpec[]): common.Policy {
  const gate = new common.SignaturePolicy.NOutOf();
  gate.setN(Math.ceil((2 * consenters.length + 1) / 3));
  const envelope = new common.SignaturePolicyEnvelope();
  consenters.forEach(({ identity }, index) => {
    const serialized = new msp.SerializedIdentity();
    serialized.setMspid(identity?.mspId ?? "");
    serialized.setIdBytes(Buffer.from(identity?.certificate ?? ""));
    const principal = new msp.MSPPrincipal();
    principal.setPrincipalClassification(msp.MSPPrincipal.Classification.IDENTITY);
    principal.setPrincipal(serialized.serializeBinary());
    envelope.addIdentities(principal);
    const rule = new common.SignaturePolicy();
    rule.setSignedBy(index);
    gate.addRules(rule);
  });
  const rule = new common.SignaturePolicy();
  rule.setNOutOf(gate);
  envelope.setRule(rule);
  const policy = new common.Policy();
  policy.setType(common.Policy.PolicyType.SIGNATURE);
  policy.setValue(envelope.serializeBinary());
  return policy;
}

function applicationGroup(spec: ChannelSpec): common.ConfigGroup {
  const group = newGroup();
  setMetaPolicies(group);
  setPolicy(group, "Endorsement", metaPolicy("MAJORITY", "Endorsement"));
  setPolicy(group, "LifecycleEndorsement", metaPolicy("MAJORITY", "Endorsement"));
  setValue(group, "Capabilities", capabilities("V2_5"));
  for (const { organization, anchor } of spec.organizations) {
    const inner = organizationGroup(organization);
    setPolicy(inner, "Endorsement", rolePolicy(organization.mspId, msp.MSPRole.MSPRoleType.PEER));
    const anchorPeer = new peer.AnchorPeer();
    anchorPeer.setHost(anchor.host);
    anchorPeer.setPort(anchor.port);
    const anchors = new peer.AnchorPeers();
    anchors.addAnchorPeers(anchorPeer);
    setValue(inner, "AnchorPeers", anchors);
    group.getGroupsMap().set(organization.mspId, inner);
  }
  return group;
}

function organizationGroup(organization: Organization): common.ConfigGroup {
  const group = newGroup();
  const { mspId } = organization;
  setPolicy(group, "Readers", rolePolicy(mspId, msp.MSPRole.MSPRoleType.MEMBER));
  setPolicy(group, "Writers", rolePolicy(mspId, msp.MSPRole.MSPRoleType.MEMBER));
  setPolicy(group, "Admins", rolePolicy(mspId, msp.MSPRole.MSPRoleType.ADMIN));
  const config = new msp.MSPConfig();
  config.setConfig(mspOf(organization).serializeBinary());
  setValue(group, "MSP", config);
  return group;
}

function mspOf({ mspId, ca, tlsCa }: Organization): msp.FabricMSPConfig {
  const unit = (name: string): msp.FabricOUIdentifier => {
    const identifier = new msp.FabricOUIdentifier();
    identifier.setOrganizationalUnitIdentifier(name);
    identifier.setCertificate(Buffer.from(ca.certificate));
    return identifier;
  };
  const units = new msp.FabricNodeOUs();
  units.setEnable(true);
  units.setClientOuIdentifier(unit("client"));
  units.setPeerOuIdentifier(unit("peer"));
  units.setAdminOuIdentifier(unit("admin"));
  units.setOrdererOuIdentifier(unit("orderer"));
  const crypto = new msp.FabricCryptoConfig();
  crypto.setSignatureHashFamily("SHA2");
  crypto.setIdentityIdentifierHashFunction("SHA256");
  const config = new msp.FabricMSPConfig();
  config.setName(mspId);
  config.setRootCertsList([Buffer.from(ca.certificate)]);
  config.setTlsRootCertsList([Buffer.from(tlsCa.certificate)]);
  config.setFabricNodeOus(units);
  config.setCryptoConfig(crypto);
  return config;
}

export function raftMetadata(consenters: readonly ConsenterSpec[]): orderer.etcdraft.ConfigMetadata {
  const metadata = new orderer.etcdraft.ConfigMetadata();
  for (const { host, port, tlsCertificate } of consenters) {
    const consenter = new orderer.etcdraft.Consenter();
    consenter.setHost(host);
    consenter.setPort(port);
    consenter.setClientTlsCert(Buffer.from(tlsCertificate));
    consenter.setServerTlsCert(Buffer.from(tlsCertificate));
    metadata.addConsenters(consenter);
  }
  const options = new orderer.etcdraft.Options();
  options.setTickInterval("500ms");
  options.setElectionTick(10);
  options.setHeartbeatTick(1);
  options.setMaxInflightBlocks(5);
  options.setSnapshotIntervalSize(20 * 1024 * 1024);
  metadata.setOptions(options);
  return metadata;
}

function newGroup(): common.ConfigGroup {
  const group = new common.ConfigGroup();
  group.setModPolicy("Admins");
  return group;
}

function setValue(group: common.ConfigGroup, name: string, content: Serializable): void {
  const value = new common.ConfigValue();
  value.setValue(content.serializeBinary());
  value.setModPolicy("Admins");
  group.getValuesMap().set(name, value);
}

function setPolicy(group: common.ConfigGroup, name: string, policy: common.Policy): void {
  const item = new common.ConfigPolicy();
  item.setPolicy(policy);
  item.setModPolicy("Admins");
  group.getPoliciesMap().set(name, item);
}

function setMetaPolicies(group: common.ConfigGroup): void {
  setPolicy(group, "Readers", metaPolicy("ANY", "Readers"));
  setPolicy(group, "Writers", metaPolicy("ANY", "Writers"));
  setPolicy(group, "Admins", metaPolicy("MAJORITY", "Admins"));
}

function metaPolicy(rule: "ANY" | "MAJORITY", name: string): common.Policy {
  const meta = new common.ImplicitMetaPolicy();
  meta.setRule(common.ImplicitMetaPolicy.Rule[rule]);
  meta.setSubPolicy(name);
  const policy = new common.Policy();
  policy.setType(common.Policy.PolicyType.IMPLICIT_META);
  policy.setValue(meta.serializeBinary());
  return policy;
}

/** Signed by one of that role. */
export function signaturePolicy(
  mspId: string,
  roleType: msp.MSPRole.MSPRoleTypeMap[keyof msp.MSPRole.MSPRoleTypeMap],
): common.SignaturePolicyEnvelope {
  const role = new msp.MSPRole();
  role.setMspIdentifier(mspId);
  role.setRole(roleType);
  const principal = new msp.MSPPrincipal();
  principal.setPrincipalClassification(msp.MSPPrincipal.Classification.ROLE);
  principal.setPrincipal(role.serializeBinary());
  const rule = new common.SignaturePolicy();
  rule.setSignedBy(0);
  const gate = new common.SignaturePolicy.NOutOf();
  gate.setN(1);
  gate.addRules(rule);
  const outer = new common.SignaturePolicy();
  outer.setNOutOf(gate);
  const envelope = new common.SignaturePolicyEnvelope();
  envelope.setRule(outer);
  envelope.addIdentities(principal);
  return envelope;
}

function rolePolicy(mspId: string, role: Parameters<typeof signaturePolicy>[1]): common.Policy {
  const policy = new common.Policy();
  policy.setType(common.Policy.PolicyType.SIGNATURE);
  policy.setValue(signaturePolicy(mspId, role).serializeBinary());
  return policy;
}

function capabilities(name: string): common.Capabilities {
  const all = new common.Capabilities();
  all.getCapabilitiesMap().set(name, new common.Capability());
  return all;
}

function named(algorithm: common.HashingAlgorithm, name: string): common.HashingAlgorithm {
  algorithm.setName(name);
  return algorithm;
}
