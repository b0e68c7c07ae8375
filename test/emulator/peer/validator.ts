import { common, ledger, peer } from "@hyperledger/fabric-protos";
import { envelopesOf } from "../channel/block.ts";
import type { ChannelConfig } from "../channel/channel-config.ts";
import { applyConfigUpdate } from "../channel/config-update.ts";
import { openEnvelope, type OpenEnvelope } from "../channel/envelope.ts";
import { computeTransactionId, openTransaction, proposalHash, type OpenTransaction } from "../channel/transaction.ts";
import type { Faults } from "../faults.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { checkReads, PendingWrites, writesOf } from "../ledger/mvcc.ts";
import { messageOf, type Log } from "../log.ts";
import { validIdentities } from "../policy/policy.ts";
import { endorsementPolicy } from "./lifecycle/endorsement-policy.ts";

const { TxValidationCode: Code } = peer;
const { kvrwset } = ledger.rwset;

/** Why a transaction is not valid. */
class Invalid extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface ValidationContext {
  readonly config: ChannelConfig;
  readonly ledger: Ledger;
  readonly faults: Faults;
  readonly log: Log;
}

/** The verdict on each transaction of a block, as values of peer.TxValidationCode (core/committer/txvalidator/v20, txmgmt/validation). */
export function validateBlock(block: common.Block, context: ValidationContext): readonly number[] {
  const seen = new Set<string>();
  const pending = new PendingWrites();
  return envelopesOf(block).map((bytes, index) => {
    try {
      return validate(common.Envelope.deserializeBinary(bytes), context, seen, pending);
    } catch (error) {
      const code = error instanceof Invalid ? error.code : Code.BAD_PAYLOAD;
      context.log(`transaction ${index} of block ${block.getHeader()?.getNumber()} is invalid: ${messageOf(error)}`);
      return code;
    }
  });
}

function validate(
  envelope: common.Envelope,
  context: ValidationContext,
  seen: Set<string>,
  pending: PendingWrites,
): number {
  const open = openEnvelope(envelope);
  checkCreator(open, context.config);
  switch (open.channelHeader.getType()) {
    case common.HeaderType.CONFIG:
      checkConfig(open, context.config);
      return Code.VALID;
    case common.HeaderType.ENDORSER_TRANSACTION:
      return validateTransaction(open, context, seen, pending);
    default:
      throw new Invalid(Code.UNKNOWN_TX_TYPE, `transaction type ${open.channelHeader.getType()} is not known`);
  }
}

/** core/common/validation/msgvalidation.go. */
function checkCreator(open: OpenEnvelope, config: ChannelConfig): void {
  if (open.channelHeader.getChannelId() !== config.channelId) {
    throw new Invalid(Code.TARGET_CHAIN_NOT_FOUND, `channel is ${open.channelHeader.getChannelId()}`);
  }
  try {
    const identity = config.msps.deserialize(open.signatureHeader.getCreator_asU8());
    config.msps.validate(identity);
    config.msps.verify(identity, open.envelope.getPayload_asU8(), open.envelope.getSignature_asU8());
  } catch (error) {
    throw new Invalid(Code.BAD_CREATOR_SIGNATURE, messageOf(error));
  }
}

function checkConfig(open: OpenEnvelope, current: ChannelConfig): void {
  const content = common.ConfigEnvelope.deserializeBinary(open.payload.getData_asU8());
  try {
    const update = openEnvelope(content.getLastUpdate() ?? new common.Envelope()).payload.getData_asU8();
    const next = applyConfigUpdate(current, common.ConfigUpdateEnvelope.deserializeBinary(update));
    const given = content.getConfig()?.serializeBinary() ?? new Uint8Array();
    if (!Buffer.from(next.serializeBinary()).equals(given)) {
      throw new Error("ConfigEnvelope LastUpdate did not produce the supplied config result");
    }
  } catch (error) {
    throw new Invalid(Code.INVALID_CONFIG_TRANSACTION, messageOf(error));
  }
}

function validateTransaction(
  open: OpenEnvelope,
  context: ValidationContext,
  seen: Set<string>,
  pending: PendingWrites,
): number {
  const creator = open.signatureHeader.getCreator_asU8();
  const transactionId = open.channelHeader.getTxId();
  if (transactionId !== computeTransactionId(open.signatureHeader.getNonce_asU8(), creator)) {
    throw new Invalid(Code.BAD_PROPOSAL_TXID, "transaction ID is not the hash of nonce and creator");
  }
  if (seen.has(transactionId) || context.ledger.transaction(transactionId) !== undefined) {
    throw new Invalid(Code.DUPLICATE_TXID, `duplicate transaction ${transactionId}`);
  }
  seen.add(transactionId);
  const transaction = opened(open);
  checkEndorsements(transaction, context);
  if (context.faults.conflicts > 0) {
    context.faults.conflicts--;
    return Code.MVCC_READ_CONFLICT;
  }
  const code = checkReads(transaction.readWriteSet, context.ledger.state, pending);
  if (code === Code.VALID) {
    pending.add(writesOf(transaction.readWriteSet));
  }
  return code;
}

function opened(open: OpenEnvelope): OpenTransaction {
  let transaction: OpenTransaction;
  try {
    transaction = openTransaction(open.envelope);
  } catch (error) {
    throw new Invalid(Code.INVALID_ENDORSER_TRANSACTION, messageOf(error));
  }
  const channelHeader = open.payload.getHeader()?.getChannelHeader_asU8() ?? new Uint8Array();
  const hash = proposalHash(channelHeader, transaction.actionHeader, transaction.proposalPayload);
  if (!Buffer.from(hash).equals(transaction.responsePayload.getProposalHash_asU8())) {
    throw new Invalid(Code.INVALID_ENDORSER_TRANSACTION, "proposal hash does not match");
  }
  return transaction;
}

/** Each namespace and collection written to must be endorsed as its policy says (txvalidator/v20/plugindispatcher, core/handlers/validation/builtin/v20). */
function checkEndorsements(transaction: OpenTransaction, context: ValidationContext): void {
  const name = transaction.action.getChaincodeId()?.getName();
  if (name !== transaction.chaincodeName || transaction.action.getChaincodeId()?.getVersion() === "") {
    throw new Invalid(Code.INVALID_CHAINCODE, `inconsistent ccid info (${transaction.chaincodeName}/${name})`);
  }
  if (transaction.event !== undefined && transaction.event.getChaincodeId() !== name) {
    throw new Invalid(
      Code.INVALID_OTHER_REASON,
      "chaincode event chaincode id does not match chaincode action chaincode id",
    );
  }
  const signed = transaction.endorsements.map((endorsement) => ({
    data: Buffer.concat([transaction.responsePayloadBytes, endorsement.getEndorser_asU8()]),
    identity: endorsement.getEndorser_asU8(),
    signature: endorsement.getSignature_asU8(),
  }));
  const identities = validIdentities(signed, context.config.msps);
  for (const [namespace, collection] of writtenTo(transaction)) {
    let policy;
    try {
      policy = endorsementPolicy(namespace, collection, context.config, context.ledger.state);
    } catch (error) {
      throw new Invalid(Code.INVALID_CHAINCODE, messageOf(error));
    }
    try {
      policy.evaluate(identities);
    } catch (error) {
      throw new Invalid(
        Code.ENDORSEMENT_POLICY_FAILURE,
        `validation of endorsement policy for chaincode ${namespace} in tx failed: ${messageOf(error)}`,
      );
    }
  }
}

type Target = readonly [namespace: string, collection: string | undefined];

function writtenTo(transaction: OpenTransaction): readonly Target[] {
  const targets = transaction.readWriteSet.getNsRwsetList().flatMap((part): readonly Target[] => {
    const namespace = part.getNamespace();
    const isWritten = kvrwset.KVRWSet.deserializeBinary(part.getRwset_asU8()).getWritesList().length > 0;
    const collections = part
      .getCollectionHashedRwsetList()
      .filter(
        (one) => kvrwset.HashedRWSet.deserializeBinary(one.getHashedRwset_asU8()).getHashedWritesList().length > 0,
      )
      .map((one): Target => [namespace, one.getCollectionName()]);
    return [...(isWritten ? ([[namespace, undefined]] as const) : []), ...collections];
  });
  // A chaincode that writes nothing of its own is still under its policy.
  const own = transaction.chaincodeName;
  return targets.some(([namespace]) => namespace === own) ? targets : [...targets, [own, undefined]];
}
