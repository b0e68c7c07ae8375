import { common, peer } from "@hyperledger/fabric-protos";
import { envelopesOf, headerHash } from "../channel/block.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { messageOf } from "../log.ts";
import type { SignedData } from "../policy/policy.ts";
import type { PeerChannels } from "./peer-channels.ts";
import { failure, success } from "./response.ts";

/** The system chaincode that answers about blocks and transactions (core/scc/qscc/query.go). */
export function runQscc(args: readonly Uint8Array[], caller: SignedData, channels: PeerChannels): peer.Response {
  const [functionName = "", channelId = "", argument] = args.map((arg) => Buffer.from(arg).toString());
  if (args.length < 2) {
    return failure(`Incorrect number of arguments, ${args.length}`);
  }
  if (functionName !== "GetChainInfo" && argument === undefined) {
    return failure(`missing 3rd argument for ${functionName}`);
  }
  const channel = channels.get(channelId);
  if (channel === undefined) {
    return failure(`Invalid chain ID, ${channelId}`);
  }
  try {
    channel.check(`qscc/${functionName}`, caller);
  } catch (error) {
    return failure(`access denied for [${functionName}][${channelId}]: [${messageOf(error)}]`);
  }
  return answer(functionName, argument ?? "", channel.ledger);
}

function answer(functionName: string, argument: string, ledger: Ledger): peer.Response {
  switch (functionName) {
    case "GetChainInfo":
      return success(chainInfo(ledger).serializeBinary());
    case "GetBlockByNumber":
      return blockByNumber(argument, ledger);
    case "GetTransactionByID":
      return transactionById(argument, ledger);
    default:
      return failure(`Requested function ${functionName} not found.`);
  }
}

function blockByNumber(argument: string, ledger: Ledger): peer.Response {
  if (!/^\d+$/.test(argument)) {
    return failure(
      `Failed to parse block number with error strconv.ParseUint: parsing ${JSON.stringify(argument)}: invalid syntax`,
    );
  }
  const { blocks } = ledger;
  // The greatest number of 64 bits asks for the newest block.
  const number = argument === "18446744073709551615" ? blocks.height - 1 : Number(argument);
  return number < blocks.height
    ? success(blocks.block(number).serializeBinary())
    : failure(`Failed to get block number ${argument}, error no such block number [${argument}] in index`);
}

function transactionById(transactionId: string, ledger: Ledger): peer.Response {
  const found = ledger.transaction(transactionId);
  if (found === undefined) {
    return failure(
      `Failed to get transaction with id ${transactionId}, error no such transaction ID [${transactionId}] in index`,
    );
  }
  const processed = new peer.ProcessedTransaction();
  const bytes = envelopesOf(ledger.blocks.block(found.block))[found.index] ?? new Uint8Array();
  processed.setTransactionenvelope(common.Envelope.deserializeBinary(bytes));
  processed.setValidationcode(found.code);
  return success(processed.serializeBinary());
}

function chainInfo(ledger: Ledger): common.BlockchainInfo {
  const info = new common.BlockchainInfo();
  info.setHeight(ledger.blocks.height);
  info.setCurrentblockhash(headerHash(ledger.blocks.last));
  info.setPreviousblockhash(ledger.blocks.last.getHeader()?.getPreviousHash_asU8() ?? new Uint8Array());
  return info;
}
