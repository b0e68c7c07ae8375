import { setTimeout as sleep } from "node:timers/promises";
import { status, type sendUnaryData, type ServerUnaryCall } from "@grpc/grpc-js";
import { peer } from "@hyperledger/fabric-protos";
import type { Faults } from "../faults.ts";
import type { Simulator } from "../ledger/simulator.ts";
import { messageOf, type Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { hasExpired } from "../msp/certificate.ts";
import { certificateOf, MspManager, type Msp } from "../msp/msp.ts";
import type { Signer } from "../msp/signer.ts";
import type { Service } from "../transport/grpc-server.ts";
import type { ChaincodeInvoker, ChaincodeResult } from "./chaincode/invoker.ts";
import { runCscc } from "./cscc.ts";
import type { InstalledChaincodes } from "./lifecycle/installed.ts";
import { runLifecycle } from "./lifecycle/lifecycle.ts";
import type { PeerChannel } from "./peer-channel.ts";
import type { PeerChannels } from "./peer-channels.ts";
import { checkProposal, openProposal, signedDataOfProposal, type OpenProposal } from "./proposal.ts";
import { runQscc } from "./qscc.ts";

export interface EndorserOptions {
  readonly localMsp: Msp;
  readonly signer: Signer;
  readonly channels: PeerChannels;
  readonly installed: InstalledChaincodes;
  readonly invoker: ChaincodeInvoker;
  readonly metrics: Metrics;
  readonly faults: Faults;
  readonly log: Log;
}

const systemChaincodes: ReadonlySet<string> = new Set(["_lifecycle", "cscc", "qscc", "lscc"]);

export function isSystemChaincode(name: string): boolean {
  return systemChaincodes.has(name);
}

/** Runs proposals and endorses what comes of them (core/endorser/endorser.go). */
export class Endorser {
  readonly #options: EndorserOptions;
  readonly #local: MspManager;

  constructor(options: EndorserOptions) {
    this.#options = options;
    this.#local = new MspManager([options.localMsp]);
  }

  service(): Service {
    const processProposal = (
      call: ServerUnaryCall<peer.SignedProposal, peer.ProposalResponse>,
      reply: sendUnaryData<peer.ProposalResponse>,
    ): void => {
      this.process(call.request).then(
        (response) => reply(null, response),
        (error: unknown) => reply({ code: status.UNKNOWN, details: messageOf(error) }),
      );
    };
    return { definition: peer.EndorserService, implementation: { processProposal } };
  }

  /** Rejects when the proposal is not to be looked at; everything else is in the response. */
  async process(signed: peer.SignedProposal): Promise<peer.ProposalResponse> {
    const { metrics, faults, channels } = this.#options;
    const started = performance.now();
    metrics.count("endorser_proposals_received");
    const proposal = openProposal(signed);
    checkNotExpired(proposal, faults.now());
    checkTimeWindow(proposal, new Date());
    await sleep(faults.endorsementDelayMilliseconds);
    const channel = proposal.channelId === "" ? undefined : channels.get(proposal.channelId);
    if (proposal.channelId !== "" && channel === undefined) {
      return failed(`channel '${proposal.channelId}' not found`);
    }
    this.#preProcess(proposal, channel);
    let response: peer.ProposalResponse;
    try {
      response = await this.#run(proposal, channel);
    } catch (error) {
      this.#options.log(`Failed to invoke chaincode ${proposal.chaincodeName}: ${messageOf(error)}`);
      response = failed(messageOf(error));
    }
    const success = response.hasEndorsement() || channel === undefined;
    if (success) {
      metrics.count("endorser_successful_proposals");
    }
    metrics.observe("endorser_proposal_duration", (performance.now() - started) / 1000, {
      channel: proposal.channelId,
      chaincode: proposal.chaincodeName,
      success: String(success),
    });
    return response;
  }

  #preProcess(proposal: OpenProposal, channel: PeerChannel | undefined): void {
    const { channelId, transactionId, chaincodeName, signatureHeader } = proposal;
    try {
      checkProposal(proposal, channel?.config.msps ?? this.#local);
    } catch (error) {
      this.#options.metrics.count("endorser_proposal_validation_failures");
      throw new Error(`error validating proposal: ${messageOf(error)}`, { cause: error });
    }
    if (channel === undefined) {
      return;
    }
    if (channel.ledger.transaction(transactionId) !== undefined) {
      const labels = { channel: channelId, chaincode: chaincodeName };
      this.#options.metrics.count("endorser_duplicate_transaction_failures", labels);
      const creator = Buffer.from(signatureHeader.getCreator_asU8()).toString("hex");
      throw new Error(`duplicate transaction found [${transactionId}]. Creator [${creator}]`);
    }
    if (!isSystemChaincode(chaincodeName)) {
      channel.check("peer/Propose", signedDataOfProposal(proposal));
    }
  }

  async #run(proposal: OpenProposal, channel: PeerChannel | undefined): Promise<peer.ProposalResponse> {
    const { chaincodeName } = proposal;
    const simulator =
      channel === undefined || chaincodeName === "cscc" || chaincodeName === "qscc"
        ? undefined
        : channel.ledger.newSimulator();
    const version = this.#versionOf(proposal, channel, simulator);
    let result: ChaincodeResult;
    try {
      result = await this.#execute(proposal, channel, simulator);
    } catch (error) {
      this.#options.metrics.count("endorser_proposal_simulation_failures", {
        channel: proposal.channelId,
        chaincode: chaincodeName,
      });
      throw new Error(`error in simulation: ${messageOf(error)}`, { cause: error });
    }
    return this.#respond(proposal, channel, simulator, version, result);
  }

  #versionOf(proposal: OpenProposal, channel: PeerChannel | undefined, simulator: Simulator | undefined): string {
    const { chaincodeName, channelId } = proposal;
    if (isSystemChaincode(chaincodeName)) {
      return "syscc";
    }
    try {
      if (channel === undefined || simulator === undefined) {
        throw new Error(`could not get channel config for channel '${channelId}'`);
      }
      return this.#options.invoker.endorsementInfo(chaincodeName, channel, simulator).version;
    } catch (error) {
      throw new Error(
        `make sure the chaincode ${chaincodeName} has been successfully defined on channel ${channelId} and try again: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  async #execute(
    proposal: OpenProposal,
    channel: PeerChannel | undefined,
    simulator: Simulator | undefined,
  ): Promise<ChaincodeResult> {
    const { channels, installed, invoker, localMsp } = this.#options;
    const { chaincodeName, input, transactionId, signed } = proposal;
    const creator = signedDataOfProposal(proposal);
    const args = input.getArgsList_asU8();
    switch (chaincodeName) {
      case "cscc":
        return { response: runCscc(args, creator, channels), event: undefined };
      case "qscc":
        return { response: runQscc(args, creator, channels), event: undefined };
      case "_lifecycle": {
        const on = channel && simulator && { config: channel.config, simulator };
        const response = await runLifecycle(args, on, localMsp.name, installed, (functionName) =>
          channels.acl.check(`_lifecycle/${functionName}`, channel?.config, creator),
        );
        return { response, event: undefined };
      }
      default:
        if (channel === undefined || simulator === undefined) {
          throw new Error(`chaincode ${chaincodeName} needs a channel`);
        }
        return invoker.execute({
          channel,
          transactionId,
          chaincodeName,
          input,
          signedProposal: signed,
          creator,
          simulator,
        });
    }
  }

  #respond(
    proposal: OpenProposal,
    channel: PeerChannel | undefined,
    simulator: Simulator | undefined,
    version: string,
    { response: result, event }: ChaincodeResult,
  ): peer.ProposalResponse {
    const response = new peer.ProposalResponse();
    response.setResponse(result);
    const status = result.getStatus();
    if (status >= 400 && status < 500) {
      return response;
    }
    const simulated = simulator?.results();
    const payload = payloadOf(proposal, result, status < 500 ? event : undefined, simulated?.publicWrites, version);
    if (status >= 500) {
      response.setPayload(payload);
      return response;
    }
    if (channel === undefined) {
      return response;
    }
    if (simulated?.privateWrites !== undefined) {
      channel.ledger.keepTransient(proposal.transactionId, simulated.privateWrites);
    }
    const { signer } = this.#options;
    const endorsement = new peer.Endorsement();
    endorsement.setEndorser(signer.identity);
    endorsement.setSignature(signer.sign(Buffer.concat([payload, signer.identity])));
    response.setVersion(1);
    response.setPayload(payload);
    response.setEndorsement(endorsement);
    response.setInterest(simulated?.interest);
    return response;
  }
}

function payloadOf(
  proposal: OpenProposal,
  result: peer.Response,
  event: peer.ChaincodeEvent | undefined,
  results: Uint8Array | undefined,
  version: string,
): Uint8Array {
  const chaincodeId = new peer.ChaincodeID();
  chaincodeId.setName(proposal.chaincodeName);
  chaincodeId.setVersion(version);
  const action = new peer.ChaincodeAction();
  action.setResults(results ?? new Uint8Array());
  action.setEvents(event?.serializeBinary() ?? new Uint8Array());
  action.setResponse(result);
  action.setChaincodeId(chaincodeId);
  const payload = new peer.ProposalResponsePayload();
  payload.setProposalHash(proposal.hash);
  payload.setExtension$(action.serializeBinary());
  return payload.serializeBinary();
}

/** A proposal that a filter before the endorser stopped: the gateway takes the peer for one out of reach (internal/pkg/gateway/apiutils.go). */
export class FilteredProposal extends Error {}

/** core/handlers/auth/filter/expiration.go. */
function checkNotExpired(proposal: OpenProposal, now: Date): void {
  const certificate = certificateOf(proposal.signatureHeader.getCreator_asU8());
  if (certificate !== undefined && hasExpired(certificate, now)) {
    throw new FilteredProposal("proposal client identity expired");
  }
}

const timeWindowMinutes = 15;

/** core/handlers/auth/filter/timewindow.go. */
function checkTimeWindow({ channelHeader }: OpenProposal, now: Date): void {
  const sent = channelHeader.getTimestamp()?.toDate() ?? new Date(0);
  if (Math.abs(now.getTime() - sent.getTime()) > timeWindowMinutes * 60_000) {
    const seconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");
    throw new FilteredProposal(
      `request unauthorized due to incorrect timestamp ${seconds(sent)}, peer time ${seconds(now)}, peer.authentication.timewindow ${timeWindowMinutes}m0s`,
    );
  }
}

function failed(message: string): peer.ProposalResponse {
  const inner = new peer.Response();
  inner.setStatus(500);
  inner.setMessage(message);
  const response = new peer.ProposalResponse();
  response.setResponse(inner);
  return response;
}
