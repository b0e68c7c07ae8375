import { optionsOf, type CommandDefinition } from "../command.ts";

export const chaincodeList: CommandDefinition = (group, terminal) => {
  const command = group
    .command("list")
    .summary("list the chaincodes of all channels")
    .description(
      "Lists each committed chaincode: version, sequence, policy, collections, who has approved it, and how far it is\n" +
        "at each peer (installed, running, exited; of a service serving, not-serving).",
    )
    .option("-C, --channel <name>", "only this channel")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric chaincode list
  kubectl fabric chaincode list -C mychannel -o json | jq '.[].peers[] | select(.installed | not)'`,
    )
    .action(async () => {
      const options = optionsOf<{ readonly channel?: string }>(command);
      const [{ openNetwork }, { chaincodeStates }, { chaincodesTable }, { printResult }] = await Promise.all([
        import("../connect.ts"),
        import("../../../core/chaincode/daily/state.ts"),
        import("./table.ts"),
        import("../../terminal/output.ts"),
      ]);
      const network = await openNetwork(options, terminal);
      try {
        const states = await chaincodeStates(network, { channel: options.channel }, terminal.signal);
        await printResult(terminal, options.output, {
          data: states,
          table: (width) => chaincodesTable(states, width),
          names: () => states.map(({ channel, name }) => `${channel}/${name}`),
        });
      } finally {
        await network.close();
      }
    });
};
