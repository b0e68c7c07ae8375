import type { CommandDefinition } from "./command.ts";
import { runTransaction, submitOptions, transactionCommand } from "./transaction.ts";

export const invoke: CommandDefinition = (program, terminal) => {
  const command = program
    .command("invoke")
    .summary("submit a transaction and wait until it is committed")
    .description(
      "Submits a transaction: endorsed as the chaincode's policy asks, ordered, committed. Prints what the chaincode returned.",
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric invoke asset CreateAsset a1 blue --channel mychannel
  kubectl fabric invoke asset CreateAsset a1 blue -C mychannel --org org2 -o json
  kubectl fabric invoke asset -C mychannel --args '{"Args":["CreateAsset","a1","blue"]}' --wait-event AssetCreated
  kubectl fabric invoke asset SetPrice a1 -C mychannel --transient-file price.json --endorsing-orgs org1`,
    );
  submitOptions(transactionCommand(command)).action(() => runTransaction(command, terminal, "invoke"));
};
