import { common, peer } from "@hyperledger/fabric-protos";
import { computeTransactionId, proposalHash } from "../channel/transaction.ts";
import type { MspManager } from "../msp/msp.ts";
import type { SignedData } from "../policy/policy.ts";

/** A signed proposal with its parts read (core/endorser/msgvalidation.go). */
export interface OpenProposal {
  readonly signed: peer.SignedProposal;
  readonly channelHeader: common.ChannelHeader;
  readonly signatureHeader: common.SignatureHeader;
  readonly header: common.Header;
  /** Empty when the proposal is to the peer itself. */
  readonly channelId: string;
  readonly transactionId: string;
  readonly chaincodeName: string;
  readonly input: peer.ChaincodeInput;
  readonly payload: peer.ChaincodeProposalPayload;
  readonly hash: Uint8Array;
}

/** Throws Fabric's text when a part is missing. */
export function openProposal(signed: peer.SignedProposal): OpenProposal {
  const proposal = peer.Proposal.deserializeBinary(signed.getProposalBytes_asU8());
  const header = common.Header.deserializeBinary(proposal.getHeader_asU8());
  const channelHeader = common.ChannelHeader.deserializeBinary(header.getChannelHeader_asU8());
  const extension = peer.ChaincodeHeaderExtension.deserializeBinary(channelHeader.getExtension_asU8());
  const chaincodeName = extension.getChaincodeId()?.getName();
  if (chaincodeName === undefined) {
    throw new Error("ChaincodeHeaderExtension.ChaincodeId is nil");
  }
  if (chaincodeName === "") {
    throw new Error("ChaincodeHeaderExtension.ChaincodeId.Name is empty");
  }
  const payload = peer.ChaincodeProposalPayload.deserializeBinary(proposal.getPayload_asU8());
  const spec = peer.ChaincodeInvocationSpec.deserializeBinary(payload.getInput_asU8()).getChaincodeSpec();
  if (spec === undefined) {
    throw new Error("chaincode invocation spec did not contain chaincode spec");
  }
  const input = spec.getInput();
  if (input === undefined) {
    throw new Error("chaincode input did not contain any input");
  }
  return {
    signed,
    header,
    channelHeader,
    signatureHeader: common.SignatureHeader.deserializeBinary(header.getSignatureHeader_asU8()),
    channelId: channelHeader.getChannelId(),
    transactionId: channelHeader.getTxId(),
    chaincodeName,
    input,
    payload,
    hash: proposalHash(header.getChannelHeader_asU8(), header.getSignatureHeader_asU8(), proposal.getPayload_asU8()),
  };
}

export function signedDataOfProposal({ signed, signatureHeader }: OpenProposal): SignedData {
  return {
    data: signed.getProposalBytes_asU8(),
    identity: signatureHeader.getCreator_asU8(),
    signature: signed.getSignature_asU8(),
  };
}

/** Throws Fabric's text when the proposal is not well formed or its creator is not who it says. */
export function checkProposal(proposal: OpenProposal, msps: MspManager): void {
  const { channelHeader, signatureHeader, channelId, transactionId, signed } = proposal;
  const type = channelHeader.getType();
  if (type !== common.HeaderType.ENDORSER_TRANSACTION && type !== common.HeaderType.CONFIG) {
    throw new Error(`invalid header type ${type}`);
  }
  if (channelHeader.getEpoch() !== 0) {
    throw new Error("epoch is non-zero");
  }
  if (signatureHeader.getNonce_asU8().length === 0) {
    throw new Error("nonce is empty");
  }
  if (signatureHeader.getCreator_asU8().length === 0) {
    throw new Error("creator is empty");
  }
  const expected = computeTransactionId(signatureHeader.getNonce_asU8(), signatureHeader.getCreator_asU8());
  if (transactionId !== expected) {
    throw new Error(`incorrectly computed txid '${transactionId}' -- expected '${expected}'`);
  }
  if (signed.getSignature_asU8().length === 0) {
    throw new Error("empty signature bytes");
  }
  checkCreator(channelId, signedDataOfProposal(proposal), msps);
}

function checkCreator(channelId: string, signed: SignedData, msps: MspManager): void {
  let creator;
  try {
    creator = msps.deserialize(signed.identity);
  } catch (error) {
    throw new Error(`access denied: channel [${channelId}] creator org unknown, creator is malformed`, {
      cause: error,
    });
  }
  try {
    msps.validate(creator);
    msps.verify(creator, signed.data, signed.signature);
  } catch (error) {
    throw new Error(`access denied: channel [${channelId}] creator org [${creator.mspId}]`, {
      cause: error,
    });
  }
}
