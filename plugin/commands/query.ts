import { printsOnly, type CommandDefinition } from "./command.ts";
import { runTransaction, transactionCommand } from "./transaction.ts";

export const query: CommandDefinition = (program, terminal) => {
  const command = program
    .command("query")
    .summary("ask a chaincode without changing the ledger")
    .description(
      "Evaluates a transaction on one peer and prints what the chaincode returned. The ledger stays as it is.",
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric query asset ReadAsset a1 --channel mychannel
  kubectl fabric query asset GetAllAssets -C mychannel -o json
  kubectl fabric query asset -C mychannel --args '["ReadAsset","a1"]'`,
    );
  transactionCommand(command).action(() => runTransaction(command, terminal, "query"));
  // What is not submitted has no transaction ID.
  printsOnly(command, ["table", "json", "yaml"]);
};
