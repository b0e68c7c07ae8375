import type { common } from "@hyperledger/fabric-protos";
import type { ChannelConfig } from "../channel/channel-config.ts";
import { openEnvelope, signedDataOf } from "../channel/envelope.ts";
import { messageOf } from "../log.ts";
import { hasExpired } from "../msp/certificate.ts";
import { certificateOf } from "../msp/msp.ts";
import { validIdentities } from "../policy/policy.ts";

export type Rejection = "BAD_REQUEST" | "FORBIDDEN" | "SERVICE_UNAVAILABLE" | "NOT_FOUND";

/** Why the orderer does not take a message, with the status the client gets (orderer/common/broadcast ClassifyError). */
export class RejectedMessage extends Error {
  readonly status: Rejection;

  constructor(status: Rejection, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  /** The same status with more context before the message. */
  within(context: string): RejectedMessage {
    return new RejectedMessage(this.status, `${context}: ${this.message}`, { cause: this });
  }
}

/** The rules of a standard channel, in Fabric's order (orderer/common/msgprocessor/standardchannel.go). */
export function checkMessage(envelope: common.Envelope, config: ChannelConfig, now: Date): void {
  if (envelope.getPayload_asU8().length === 0) {
    throw new RejectedMessage("BAD_REQUEST", "Message was empty");
  }
  const signed = signedDataOf(openEnvelope(envelope));
  const certificate = certificateOf(signed.identity);
  if (certificate !== undefined && hasExpired(certificate, now)) {
    throw new RejectedMessage("BAD_REQUEST", "broadcast client identity expired");
  }
  const size = sizeOf(envelope);
  if (size > config.orderer.absoluteMaxBytes) {
    throw new RejectedMessage(
      "BAD_REQUEST",
      `message payload is ${size} bytes and exceeds maximum allowed ${config.orderer.absoluteMaxBytes} bytes`,
    );
  }
  const policyName = config.orderer.maintenance ? "/Channel/Orderer/Writers" : "/Channel/Writers";
  const policy = config.policies.policy(policyName);
  if (policy === undefined) {
    throw new RejectedMessage("BAD_REQUEST", `could not find policy ${policyName}`);
  }
  try {
    policy.evaluate(validIdentities([signed], config.msps));
  } catch (error) {
    throw new RejectedMessage("FORBIDDEN", `${messageOf(error)}: permission denied`, { cause: error });
  }
}

/** As `checkMessage`, and no normal message while the channel is being maintained. */
export function checkNormalMessage(envelope: common.Envelope, config: ChannelConfig, now: Date): void {
  if (config.orderer.maintenance) {
    throw new RejectedMessage("SERVICE_UNAVAILABLE", "normal transactions are rejected: maintenance mode");
  }
  checkMessage(envelope, config, now);
}

export function sizeOf(envelope: common.Envelope): number {
  return envelope.getPayload_asU8().length + envelope.getSignature_asU8().length;
}
