import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans } from "./plan-run.ts";

export const join: CommandDefinition = (program, terminal) => {
  const command = program
    .command("join")
    .argument("<channel>", "name of the channel; it is created when there is none")
    .summary("create a channel and bring orderers and peers into it")
    .description(
      "Brings a channel to life: makes its genesis block, joins every orderer (channel participation) and every peer,\n" +
        "and sets each organization's anchor peers. Whoever has joined already is left as it is.",
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric join mychannel
  kubectl fabric join mychannel --dry-run`,
    );
  planOptions(command, "5m").action(async (channel: string) => {
    const options = optionsOf<PlanOptions>(command);
    const [{ openNetwork }, { joinSteps }, { printResult }] = await Promise.all([
      import("./connect.ts"),
      import("../network/join.ts"),
      import("../terminal/output.ts"),
    ]);
    const network = await openNetwork(options, terminal);
    try {
      const title = `channel ${channel}`;
      const report = await runPlans(terminal, options, [{ title, steps: () => joinSteps(network, channel) }]);
      await printResult(terminal, options.output, {
        data: { channel, ...report },
        table: () => conclusion(report, `kubectl fabric deploy-cc NAME --path DIR --channel ${channel}`),
        names: () => [channel],
      });
    } finally {
      await network.close();
    }
  });
};
