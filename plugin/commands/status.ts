import { optionsOf, type CommandDefinition } from "./command.ts";

export const status: CommandDefinition = (program, terminal) => {
  const command = program
    .command("status")
    .summary("show organizations, Pods, channels, chaincode and certificates")
    .description(
      "Shows the state of a network: each orderer and peer, its Pod, its channels with their height, the chaincode\n" +
        "committed on them, and the days that certificates have left. Ends with 3 when something that you may look at is not ready.",
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric status
  kubectl fabric status -o json | jq '.nodes[] | select(.ready | not)'`,
    )
    .action(async () => {
      const options = optionsOf(command);
      const [{ openNetwork }, { networkStatus }, { statusTable }, { printResult }, { exitCodes }] = await Promise.all([
        import("./connect.ts"),
        import("../../core/network/operations/status.ts"),
        import("./status-table.ts"),
        import("../terminal/output.ts"),
        import("../terminal/failure.ts"),
      ]);
      const network = await openNetwork(options, terminal);
      try {
        const found = await networkStatus(network, terminal.signal);
        await printResult(terminal, options.output, {
          data: found,
          table: (width) => statusTable(found, width),
          names: () => found.nodes.map(({ organization, name }) => `${name}.${organization}`),
        });
        if (!found.ready) process.exitCode = exitCodes.notReady;
      } finally {
        await network.close();
      }
    });
};
