import { createHash, createPrivateKey } from "node:crypto";
import { signers } from "@hyperledger/fabric-gateway";
import { common, peer } from "@hyperledger/fabric-protos";
import type { SignerOf } from "../integration/emulator/network/config-update.ts";

/** What a client without a gateway sends to orderers, made of a proposal and its endorsements (protoutil/txutils.go, CreateSignedTx). */
export async function endorsedTransaction(
  signed: peer.SignedProposal,
  responses: readonly peer.ProposalResponse[],
  { pair }: SignerOf,
): Promise<{ readonly envelope: common.Envelope; readonly transactionId: string }> {
  const proposal = peer.Proposal.deserializeBinary(signed.getProposalBytes_asU8());
  const header = common.Header.deserializeBinary(proposal.getHeader_asU8());
  const payload = new common.Payload();
  payload.setHeader(header);
  payload.setData(transactionOf(proposal, header, responses).serializeBinary());
  const envelope = new common.Envelope();
  envelope.setPayload(payload.serializeBinary());
  const sign = signers.newPrivateKeySigner(createPrivateKey(pair.key));
  envelope.setSignature(await sign(createHash("sha256").update(envelope.getPayload_asU8()).digest()));
  return {
    envelope,
    transactionId: common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8()).getTxId(),
  };
}

function transactionOf(
  proposal: peer.Proposal,
  header: common.Header,
  responses: readonly peer.ProposalResponse[],
): peer.Transaction {
  const endorsed = new peer.ChaincodeEndorsedAction();
  endorsed.setProposalResponsePayload(responses[0]?.getPayload_asU8() ?? new Uint8Array());
  endorsed.setEndorsementsList(
    responses.flatMap((response) => {
      const endorsement = response.getEndorsement();
      return endorsement === undefined ? [] : [endorsement];
    }),
  );
  const content = new peer.ChaincodeActionPayload();
  content.setChaincodeProposalPayload(proposal.getPayload_asU8());
  content.setAction(endorsed);
  const action = new peer.TransactionAction();
  action.setHeader(header.getSignatureHeader_asU8());
  action.setPayload(content.serializeBinary());
  const transaction = new peer.Transaction();
  transaction.addActions(action);
  return transaction;
}
