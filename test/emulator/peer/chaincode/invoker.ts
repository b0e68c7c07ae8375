import { peer } from "@hyperledger/fabric-protos";
import type { Simulator } from "../../ledger/simulator.ts";
import { messageOf } from "../../log.ts";
import { validIdentities, type SignedData } from "../../policy/policy.ts";
import { lifecycleNamespace, namespaces } from "../lifecycle/definition.ts";
import { collectionMembers, organizationOfImplicit, staticCollection } from "../lifecycle/endorsement-policy.ts";
import { approvedChaincode, type InstalledChaincodes } from "../lifecycle/installed.ts";
import { fieldKey } from "../lifecycle/serializer.ts";
import type { PeerChannel } from "../peer-channel.ts";
import type { PeerChannels } from "../peer-channels.ts";
import type { TransactionContext } from "./context.ts";
import type { ChaincodeLauncher } from "./launcher.ts";

/** A call of a chaincode within a transaction. */
export interface Invocation {
  readonly channel: PeerChannel;
  readonly transactionId: string;
  readonly chaincodeName: string;
  readonly input: peer.ChaincodeInput;
  readonly signedProposal: peer.SignedProposal;
  readonly creator: SignedData;
  readonly simulator: Simulator;
}

export interface ChaincodeResult {
  readonly response: peer.Response;
  readonly event: peer.ChaincodeEvent | undefined;
}

/** What a transaction needs to know of the chaincode it calls. */
export interface EndorsementInfo {
  readonly version: string;
  readonly packageId: string;
  readonly initRequired: boolean;
}

const initializedKey = `\0\u{10ffff}initialized`;

/** Runs users' chaincodes (core/chaincode/chaincode_support.go). */
export class ChaincodeInvoker {
  readonly #launcher: ChaincodeLauncher;
  readonly #installed: InstalledChaincodes;
  readonly #channels: PeerChannels;
  readonly #mspId: string;
  readonly #executeTimeoutMilliseconds: number;

  constructor(
    launcher: ChaincodeLauncher,
    installed: InstalledChaincodes,
    channels: PeerChannels,
    mspId: string,
    executeTimeoutMilliseconds: number,
  ) {
    this.#launcher = launcher;
    this.#installed = installed;
    this.#channels = channels;
    this.#mspId = mspId;
    this.#executeTimeoutMilliseconds = executeTimeoutMilliseconds;
  }

  /** Throws when the chaincode cannot be called at this peer (core/chaincode/lifecycle/endorsement_info.go). */
  endorsementInfo(name: string, channel: PeerChannel, simulator: Simulator): EndorsementInfo {
    // Counts as read: a transaction endorsed under one definition is in conflict with the next.
    const sequence = simulator.get(lifecycleNamespace, fieldKey(namespaces, name, "Sequence"));
    const info = approvedChaincode(name, channel.ledger.state, this.#mspId, this.#installed.ids());
    if (sequence === undefined || info === undefined) {
      throw new Error(`chaincode ${name} not found`);
    }
    if (!info.approved) {
      throw new Error(
        `chaincode definition for '${name}' at sequence ${info.sequence} on channel '${channel.channelId}' has not yet been approved by this org`,
      );
    }
    if (info.packageId === undefined) {
      throw new Error(`chaincode definition for '${name}' exists, but chaincode is not installed`);
    }
    return { version: info.version, packageId: info.packageId, initRequired: info.initRequired };
  }

  /** Throws when the chaincode could not be run; its own refusal is a response. */
  async execute(invocation: Invocation): Promise<ChaincodeResult> {
    const { transactionId, chaincodeName } = invocation;
    let message: peer.ChaincodeMessage;
    try {
      message = await this.#invoke(invocation);
    } catch (error) {
      throw new Error(`failed to execute transaction ${transactionId}: ${messageOf(error)}`, { cause: error });
    }
    if (message.getType() === peer.ChaincodeMessage.Type.ERROR) {
      throw new Error(`transaction returned with failure: ${Buffer.from(message.getPayload_asU8()).toString()}`);
    }
    const event = message.getChaincodeEvent();
    event?.setChaincodeId(chaincodeName);
    event?.setTxId(transactionId);
    return { response: peer.Response.deserializeBinary(message.getPayload_asU8()), event };
  }

  async #invoke(invocation: Invocation): Promise<peer.ChaincodeMessage> {
    const { chaincodeName, input, simulator } = invocation;
    const info = this.#info(invocation);
    const needsInit =
      info.initRequired && Buffer.from(simulator.get(chaincodeName, initializedKey) ?? []).toString() !== info.version;
    checkInit(chaincodeName, input.getIsInit(), info.initRequired, needsInit);
    if (input.getIsInit()) {
      simulator.put(chaincodeName, initializedKey, Buffer.from(info.version));
    }
    const handler = await this.#launcher.launch(info.packageId);
    const type = input.getIsInit() ? peer.ChaincodeMessage.Type.INIT : peer.ChaincodeMessage.Type.TRANSACTION;
    try {
      const context = this.#context(invocation, input.getIsInit());
      return await handler.execute(type, context, input, this.#executeTimeoutMilliseconds);
    } catch (error) {
      throw new Error(`error sending: ${messageOf(error)}`, { cause: error });
    }
  }

  #info({ channel, chaincodeName, simulator }: Invocation): EndorsementInfo {
    try {
      return this.endorsementInfo(chaincodeName, channel, simulator);
    } catch (error) {
      throw new Error(
        `invalid invocation: [channel ${channel.channelId}] failed to get chaincode container info for ${chaincodeName}: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  #context(invocation: Invocation, isInit: boolean): TransactionContext {
    const { channel, transactionId, chaincodeName, signedProposal, simulator } = invocation;
    return {
      channelId: channel.channelId,
      transactionId,
      namespace: chaincodeName,
      signedProposal,
      simulator,
      isInit,
      history: (key) => channel.ledger.history(chaincodeName, key),
      checkCollection: (collection, access) => checkCollection(invocation, collection, access),
      invoke: (name, channelId, input) => this.#invokeOther(invocation, name, channelId, input),
    };
  }

  /** From one chaincode to another; on another channel it may only read (core/chaincode/handler.go HandleInvokeChaincode). */
  async #invokeOther(
    caller: Invocation,
    chaincodeName: string,
    channelId: string,
    input: peer.ChaincodeInput,
  ): Promise<peer.ChaincodeMessage> {
    const channel = this.#channels.get(channelId);
    if (channel === undefined) {
      throw new Error(`failed to find ledger for channel: ${channelId}`);
    }
    channel.check("peer/ChaincodeToChaincode", caller.creator);
    const simulator = channel === caller.channel ? caller.simulator : channel.ledger.newSimulator();
    try {
      return await this.#invoke({ ...caller, channel, chaincodeName, input, simulator });
    } catch (error) {
      throw new Error(`execute failed: ${messageOf(error)}`, { cause: error });
    }
  }
}

function checkInit(name: string, isInit: boolean, required: boolean, needed: boolean): void {
  if (isInit && !required) {
    throw new Error(`invalid invocation: chaincode '${name}' does not require initialization but called as init`);
  }
  if (isInit && !needed) {
    throw new Error(`invalid invocation: chaincode '${name}' is already initialized but called as init`);
  }
  if (!isInit && needed) {
    throw new Error(
      `invalid invocation: chaincode '${name}' has not been initialized for this version, must call as init first`,
    );
  }
}

function checkCollection(invocation: Invocation, collection: string, access: "read" | "write"): void {
  const { channel, chaincodeName, creator } = invocation;
  const { config, ledger } = channel;
  if (organizationOfImplicit(collection) !== undefined) {
    return;
  }
  const definition = staticCollection(chaincodeName, collection, ledger.state);
  if (definition === undefined) {
    throw new Error(`collection ${channel.channelId}/${chaincodeName}/${collection} could not be found`);
  }
  const membersOnly = access === "read" ? definition.getMemberOnlyRead() : definition.getMemberOnlyWrite();
  if (!membersOnly) {
    return;
  }
  try {
    const members = collectionMembers(chaincodeName, collection, config, ledger.state);
    members?.policy.evaluate(validIdentities([creator], config.msps));
  } catch (error) {
    throw new Error(
      `tx creator does not have ${access} access permission on privatedata in chaincodeName:${chaincodeName} collectionName: ${collection}`,
      { cause: error },
    );
  }
}
