import { common, msp, orderer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";
import { creatorBytes } from "../identity/creator.ts";
import { checkConsenters, type Consenter } from "./raft.ts";

/** A BFT consenter signs blocks: its organization and its enrolment certificate (PEM) are part of the channel. */
export interface BftConsenter extends Consenter {
  /** Unique in the channel, from 1. */
  readonly id: number;
  readonly mspId: string;
  readonly identity: string;
}

/** The value ConsensusType of a channel ordered by SmartBFT (Fabric 3). Throws `usage` for consenters that Fabric would refuse. */
export function bftConsensusType(consenters: readonly BftConsenter[]): orderer.ConsensusType {
  checkBftConsenters(consenters);
  const type = new orderer.ConsensusType();
  type.setType("BFT");
  type.setMetadata(bftOptions().serializeBinary());
  return type;
}

/** The value Orderers: who the consenters are. */
export function orderersValue(consenters: readonly BftConsenter[]): common.Orderers {
  const value = new common.Orderers();
  value.setConsenterMappingList(consenters.map(bftConsenter));
  return value;
}

export function readOrderersValue(value: common.Orderers): readonly BftConsenter[] {
  return value.getConsenterMappingList().map((message) => ({
    id: message.getId(),
    host: message.getHost(),
    port: message.getPort(),
    mspId: message.getMspId(),
    identity: text(message.getIdentity_asU8()),
    clientTlsCertificate: text(message.getClientTlsCert_asU8()),
    serverTlsCertificate: text(message.getServerTlsCert_asU8()),
  }));
}

/** The policy for a block's signatures under BFT: a quorum of the consenters (common/policies/bft.go). */
export function bftBlockValidationPolicy(consenters: readonly BftConsenter[]): common.Policy {
  const out = new common.SignaturePolicy.NOutOf();
  out.setN(bftQuorum(consenters.length));
  out.setRulesList(consenters.map((_, index) => signedBy(index)));
  const rule = new common.SignaturePolicy();
  rule.setNOutOf(out);
  const envelope = new common.SignaturePolicyEnvelope();
  envelope.setRule(rule);
  envelope.setIdentitiesList(consenters.map(identityPrincipal));
  const policy = new common.Policy();
  policy.setType(common.Policy.PolicyType.SIGNATURE);
  policy.setValue(envelope.serializeBinary());
  return policy;
}

/** How many of `count` consenters have to agree, (count - 1) / 3 of them being faulty (common/policies/bft.go). */
export function bftQuorum(count: number): number {
  return Math.ceil((count + Math.floor((count - 1) / 3) + 1) / 2);
}

function checkBftConsenters(consenters: readonly BftConsenter[]): void {
  checkConsenters(consenters);
  const ids = consenters.map(({ id }) => id);
  if (new Set(ids).size !== ids.length || ids.some((id) => !Number.isInteger(id) || id < 1)) {
    throw new FabricError("usage", `expected different consenter ids from 1 up, found ${ids.join(", ")}`);
  }
}

function bftConsenter(consenter: BftConsenter): common.Consenter {
  const message = new common.Consenter();
  message.setId(consenter.id);
  message.setHost(consenter.host);
  message.setPort(consenter.port);
  message.setMspId(consenter.mspId);
  message.setIdentity(Buffer.from(consenter.identity));
  message.setClientTlsCert(Buffer.from(consenter.clientTlsCertificate));
  message.setServerTlsCert(Buffer.from(consenter.serverTlsCertificate));
  return message;
}

function signedBy(index: number): common.SignaturePolicy {
  const rule = new common.SignaturePolicy();
  rule.setSignedBy(index);
  return rule;
}

function identityPrincipal({ mspId, identity }: BftConsenter): msp.MSPPrincipal {
  const principal = new msp.MSPPrincipal();
  principal.setPrincipalClassification(msp.MSPPrincipal.Classification.IDENTITY);
  principal.setPrincipal(creatorBytes(mspId, identity));
  return principal;
}

/**
 * SmartBFT's own defaults (github.com/hyperledger-labs/SmartBFT, pkg/types/config.go), which configtxgen takes too
 * (internal/configtxgen/genesisconfig/config.go), with leader rotation off, as Fabric requires
 * (orderer/consensus/smartbft/configverifier.go).
 */
function bftOptions(): orderer.smartbft.Options {
  const options = new orderer.smartbft.Options();
  options.setRequestBatchMaxCount(100);
  options.setRequestBatchMaxBytes(10 * 1024 * 1024);
  options.setRequestBatchMaxInterval("50ms");
  options.setIncomingMessageBufferSize(200);
  options.setRequestPoolSize(400);
  options.setRequestForwardTimeout("2s");
  options.setRequestComplainTimeout("20s");
  options.setRequestAutoRemoveTimeout("3m0s");
  options.setViewChangeResendInterval("5s");
  options.setViewChangeTimeout("20s");
  options.setLeaderHeartbeatTimeout("1m0s");
  options.setLeaderHeartbeatCount(10);
  options.setCollectTimeout("1s");
  options.setLeaderRotation(orderer.smartbft.Options.Rotation.ROTATION_OFF);
  return options;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
