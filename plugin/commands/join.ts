import { list } from "./arguments.ts";
import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, lastLook, type Plan, planOptions, type PlansReport, runPlans } from "./plan-run.ts";

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
    .option("--orgs <names>", "only peers of these organizations join", list)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric join mychannel
  kubectl fabric join mychannel --orgs org1,org2      org3 came to the network after the channel
  kubectl fabric join mychannel --dry-run`,
    );
  planOptions(command, "5m").action(async (channel: string) => {
    const options = optionsOf<PlanOptions & { readonly orgs?: readonly string[] }>(command);
    const [{ openNetwork }, { joinSteps }, { chosenOrganizations }, { lateSteps }, { printResult }, { afterJoin }] =
      await Promise.all([
        import("./connect.ts"),
        import("../../core/network/operations/join.ts"),
        import("../../core/chaincode/deployment/targets.ts"),
        import("../../core/chaincode/daily/seed-plan.ts"),
        import("../terminal/output.ts"),
        import("./next-command.ts"),
      ]);
    const network = await openNetwork(options, terminal);
    try {
      const organizations = chosenOrganizations(network, options.orgs);
      const plans: readonly Plan[] = [
        { title: `channel ${channel}`, steps: () => joinSteps(network, channel, { organizations }) },
        { title: `chaincode of ${channel}`, steps: (signal) => lateSteps(network, channel, options.orgs, signal) },
      ];
      const resultOf = (report: PlansReport) => ({ channel, ...report });
      const report = await runPlans(terminal, options, plans, resultOf);
      const next = options.dryRun
        ? undefined
        : await lastLook(afterJoin(network, channel, terminal.signal), terminal.signal);
      await printResult(terminal, options.output, {
        data: resultOf(report),
        table: () => conclusion(report, next, options),
        names: () => [channel],
      });
    } finally {
      await network.close();
    }
  });
};
