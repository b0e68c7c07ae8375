import { optionsOf, type CommandDefinition } from "../command.ts";

/** Former definitions that are shown. */
const history = 20;

export const chaincodeInspect: CommandDefinition = (group, terminal) => {
  const command = group
    .command("inspect")
    .argument("<name>", "name of the chaincode")
    .summary("show everything about a chaincode")
    .description(
      "Shows a chaincode's definition, collections and approvals, its package, image and container or Deployment at each peer,\n" +
        "and the definitions that it had before.",
    )
    .option("-C, --channel <name>", "the channel, when it is on several")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric chaincode inspect asset
  kubectl fabric chaincode inspect asset -C mychannel -o json | jq '.peers[].container.image'`,
    )
    .action(async (name: string) => {
      const options = optionsOf<{ readonly channel?: string }>(command);
      const [{ openNetwork }, { chaincodeState, formerDefinitions }, { chaincodeDetails }, { printResult }] =
        await Promise.all([
          import("../connect.ts"),
          import("../../../core/chaincode/daily/state.ts"),
          import("./table.ts"),
          import("../../terminal/output.ts"),
        ]);
      const network = await openNetwork(options, terminal);
      try {
        const state = await chaincodeState(network, { name, channel: options.channel }, terminal.signal);
        const former = await formerDefinitions(network, state, history, terminal.signal);
        await printResult(terminal, options.output, {
          data: { ...state, former },
          table: (width) => chaincodeDetails(state, former, width),
          names: () => [`${state.channel}/${state.name}`],
        });
      } finally {
        await network.close();
      }
    });
};
