import { X509Certificate } from "node:crypto";
import { common } from "@hyperledger/fabric-protos";
import { ChannelConfig, tlsRootsOf, type Consenter } from "../channel/channel-config.ts";
import { applyConfigUpdate } from "../channel/config-update.ts";
import { newSignedEnvelope, openEnvelope } from "../channel/envelope.ts";
import { messageOf } from "../log.ts";
import { certificationChain, hasExpired } from "../msp/certificate.ts";
import type { Signer } from "../msp/signer.ts";
import { checkMessage, RejectedMessage } from "./message-filter.ts";

/** Turns a configuration update into the message that carries the new configuration; throws RejectedMessage (standardchannel.go ProcessConfigUpdateMsg). */
export function newConfigMessage(
  update: common.Envelope,
  current: ChannelConfig,
  activeConsenters: readonly string[],
  signer: Signer,
  now: Date,
): common.Envelope {
  try {
    checkMessage(update, current, now);
  } catch (error) {
    throw withContext(error, "config update for existing channel did not pass initial checks");
  }
  const config = proposedConfig(update, current, activeConsenters, now);
  checkConsensusType(current, new ChannelConfig(current.channelId, config));
  const content = new common.ConfigEnvelope();
  content.setConfig(config);
  content.setLastUpdate(update);
  return newSignedEnvelope(common.HeaderType.CONFIG, current.channelId, content.serializeBinary(), signer, now);
}

function proposedConfig(
  update: common.Envelope,
  current: ChannelConfig,
  activeConsenters: readonly string[],
  now: Date,
): common.Config {
  try {
    const content = common.ConfigUpdateEnvelope.deserializeBinary(openEnvelope(update).payload.getData_asU8());
    const config = authorized(current, content);
    const next = new ChannelConfig(current.channelId, config);
    checkConsenters(current, next, activeConsenters, now);
    return config;
  } catch (error) {
    throw withContext(error, `error applying config update to existing channel '${current.channelId}'`);
  }
}

function authorized(current: ChannelConfig, update: common.ConfigUpdateEnvelope): common.Config {
  try {
    return applyConfigUpdate(current, update);
  } catch (error) {
    throw withContext(error, "error authorizing update");
  }
}

function withContext(error: unknown, context: string): RejectedMessage {
  return error instanceof RejectedMessage
    ? error.within(context)
    : new RejectedMessage("BAD_REQUEST", `${context}: ${messageOf(error)}`, { cause: error });
}

/** msgprocessor/maintenancefilter.go. */
function checkConsensusType(current: ChannelConfig, next: ChannelConfig): void {
  const [before, after] = [current.orderer, next.orderer];
  if (before.type !== after.type && !(before.maintenance && after.maintenance)) {
    throw new RejectedMessage(
      "BAD_REQUEST",
      `config update for existing channel did not pass maintenance checks: config transaction inspection failed: attempted to change consensus type from ${before.type} to ${after.type}, but current config ConsensusType.State is not in maintenance mode`,
    );
  }
}

/** etcdraft/chain.go ValidateConsensusMetadata. */
function checkConsenters(
  current: ChannelConfig,
  next: ChannelConfig,
  activeConsenters: readonly string[],
  now: Date,
): void {
  try {
    checkConsenterChange(current, next, activeConsenters, now);
  } catch (error) {
    throw new Error(`consensus metadata update for channel config update is invalid: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function checkConsenterChange(
  current: ChannelConfig,
  next: ChannelConfig,
  activeConsenters: readonly string[],
  now: Date,
): void {
  const before = current.orderer;
  const after = next.orderer;
  if (after.consenters.length === 0) {
    throw new Error("invalid new config metadata: empty consenter set");
  }
  after.consenters.forEach((consenter) => checkIssuer(consenter, next));
  const added = after.consenters.filter((one) => !before.consenters.some((other) => same(one, other)));
  const removed = before.consenters.filter((one) => !after.consenters.some((other) => same(one, other)));
  const rotated = added.length === 1 && removed.length === 1;
  if (added.length + removed.length > 1 && !rotated) {
    throw new Error(
      `update of more than one consenter at a time is not supported, requested changes: add ${added.length} node(s), remove ${removed.length} node(s)`,
    );
  }
  added.forEach((consenter) => checkNotExpired(consenter, now));
  checkQuorum(before.consenters.length, after.consenters.length, added, removed, activeConsenters);
}

/** etcdraft/membership.go UnacceptableQuorumLoss. */
function checkQuorum(
  before: number,
  after: number,
  added: readonly Consenter[],
  removed: readonly Consenter[],
  active: readonly string[],
): void {
  if (added.length + removed.length === 0) {
    return;
  }
  const remaining = active.filter((address) => !removed.some((one) => one.address === address)).length;
  const toleratesFaults = after > 2;
  const quorum = Math.floor(after / 2) + 1;
  const onlyRemoval = added.length === 0;
  if ((toleratesFaults || onlyRemoval) && remaining < quorum) {
    throw new Error(`${active.length} out of ${before} nodes are alive, configuration will result in quorum loss`);
  }
}

function checkIssuer(consenter: Consenter, config: ChannelConfig): void {
  const roots = config.orderer.organizations
    .flatMap(({ msp }) => tlsRootsOf(msp))
    .map((pem) => new X509Certificate(pem));
  for (const [kind, pem] of certificatesOf(consenter)) {
    const certificate = new X509Certificate(pem);
    try {
      certificationChain(certificate, roots, roots);
    } catch (error) {
      throw new Error(
        `invalid new config metadata: consenter ${consenter.address} has invalid certificate: verifying tls ${kind} cert with serial number ${BigInt(`0x${certificate.serialNumber}`)}: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }
}

function checkNotExpired(consenter: Consenter, now: Date): void {
  for (const [kind, pem] of certificatesOf(consenter)) {
    const certificate = new X509Certificate(pem);
    if (hasExpired(certificate, now)) {
      throw new Error(
        `consenter ${consenter.address} has invalid certificates: verifying tls ${kind} cert with serial number ${BigInt(`0x${certificate.serialNumber}`)}: x509: certificate has expired or is not yet valid`,
      );
    }
  }
}

function certificatesOf(consenter: Consenter): readonly (readonly ["client" | "server", string])[] {
  return [
    ["client", consenter.clientTlsCertificate],
    ["server", consenter.serverTlsCertificate],
  ];
}

function same(one: Consenter, other: Consenter): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
