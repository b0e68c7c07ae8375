import { ledger, peer, type common } from "@hyperledger/fabric-protos";
import { sha256 } from "./block.ts";
import { openEnvelope, type OpenEnvelope } from "./envelope.ts";

/** An endorsed transaction with its parts read. */
export interface OpenTransaction extends OpenEnvelope {
  readonly transactionId: string;
  /** As the proposal named it. */
  readonly chaincodeName: string;
  readonly actionHeader: Uint8Array;
  readonly proposalPayload: Uint8Array;
  readonly responsePayloadBytes: Uint8Array;
  readonly responsePayload: peer.ProposalResponsePayload;
  readonly action: peer.ChaincodeAction;
  readonly endorsements: readonly peer.Endorsement[];
  readonly readWriteSet: ledger.rwset.TxReadWriteSet;
  readonly event: peer.ChaincodeEvent | undefined;
}

/** Throws when the envelope holds no transaction of one action. */
export function openTransaction(envelope: common.Envelope): OpenTransaction {
  const open = openEnvelope(envelope);
  const actions = peer.Transaction.deserializeBinary(open.payload.getData_asU8()).getActionsList();
  const [transactionAction] = actions;
  if (transactionAction === undefined || actions.length !== 1) {
    throw new Error(`only one action per transaction is supported, tx contains ${actions.length}`);
  }
  const payload = peer.ChaincodeActionPayload.deserializeBinary(transactionAction.getPayload_asU8());
  const endorsed = payload.getAction() ?? new peer.ChaincodeEndorsedAction();
  const responsePayloadBytes = endorsed.getProposalResponsePayload_asU8();
  const responsePayload = peer.ProposalResponsePayload.deserializeBinary(responsePayloadBytes);
  const action = peer.ChaincodeAction.deserializeBinary(responsePayload.getExtension_asU8());
  const extension = peer.ChaincodeHeaderExtension.deserializeBinary(open.channelHeader.getExtension_asU8());
  const eventBytes = action.getEvents_asU8();
  return {
    ...open,
    transactionId: open.channelHeader.getTxId(),
    chaincodeName: extension.getChaincodeId()?.getName() ?? "",
    actionHeader: transactionAction.getHeader_asU8(),
    proposalPayload: payload.getChaincodeProposalPayload_asU8(),
    responsePayloadBytes,
    responsePayload,
    action,
    endorsements: endorsed.getEndorsementsList(),
    readWriteSet: ledger.rwset.TxReadWriteSet.deserializeBinary(action.getResults_asU8()),
    event: eventBytes.length === 0 ? undefined : peer.ChaincodeEvent.deserializeBinary(eventBytes),
  };
}

/** protoutil/proputils.go ComputeTxID. */
export function computeTransactionId(nonce: Uint8Array, creator: Uint8Array): string {
  return sha256(Buffer.concat([nonce, creator])).toString("hex");
}

/** Hash of a proposal without its transient data (protoutil/txutils.go GetProposalHash1). */
export function proposalHash(channelHeader: Uint8Array, signatureHeader: Uint8Array, payload: Uint8Array): Uint8Array {
  const visible = new peer.ChaincodeProposalPayload();
  visible.setInput(peer.ChaincodeProposalPayload.deserializeBinary(payload).getInput_asU8());
  return sha256(Buffer.concat([channelHeader, signatureHeader, visible.serializeBinary()]));
}
