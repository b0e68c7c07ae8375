import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans } from "./plan-run.ts";

export const join: CommandDefinition = (program, terminal) => {
  const command = program
    .command("join")
    .argument("<channel>", "name of the channel; it is created when there is none")
    .summary("create a channel and bring orderers and peers into it")
    .description(
      "Brings a channel to life: makes its genesis block, joins every orderer (channel participation) and every peer,\n" +
        "and sets each organization's anchor peers. Whoever has joined already is left as it is. A peer that joins late gets\n" +
        "the chaincode that the channel runs from another one of its organization: package and image, without a build.",
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
    const [{ openNetwork }, { joinSteps }, { lateSteps }, { printResult }, { afterJoin }] = await Promise.all([
      import("./connect.ts"),
      import("../network/join.ts"),
      import("../chaincode/seed/seed-plan.ts"),
      import("../terminal/output.ts"),
      import("./next-command.ts"),
    ]);
    const network = await openNetwork(options, terminal);
    try {
      const report = await runPlans(terminal, options, [
        { title: `channel ${channel}`, steps: () => joinSteps(network, channel) },
        { title: `chaincode of ${channel}`, steps: (signal) => lateSteps(network, channel, signal) },
      ]);
      const next = options.dryRun ? undefined : await afterJoin(network, channel, terminal.signal);
      await printResult(terminal, options.output, {
        data: { channel, ...report },
        table: () => conclusion(report, next),
        names: () => [channel],
      });
    } finally {
      await network.close();
    }
  });
};
