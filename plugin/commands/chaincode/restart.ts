import { noticeOn } from "../../terminal/notice.ts";
import { optionsOf, type CommandDefinition, type PlanOptions } from "../command.ts";
import { conclusion, planOptions, runPlans, type PlansReport } from "../plan-run.ts";

interface RestartOptions extends PlanOptions {
  readonly channel?: string;
  readonly peer?: string;
}

export const chaincodeRestart: CommandDefinition = (group, terminal) => {
  const command = group
    .command("restart")
    .argument("<name>", "name of the chaincode")
    .summary("stop a chaincode's containers and have its peers start them again")
    .description(
      "Stops the chaincode's container at each peer; the peer starts it again with the next call, and a call that is not\n" +
        "submitted is made at once. Of a service the Pods are replaced, as kubectl rollout restart does. Transactions under\n" +
        "way at that moment fail.",
    )
    .option("-C, --channel <name>", "the channel, when it is on several")
    .option("--peer <name>", "only this peer, as peer0.org1")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric chaincode restart asset
  kubectl fabric chaincode restart asset --peer peer0.org1`,
    );
  planOptions(command, "5m").action(async (name: string) => {
    const options = optionsOf<RestartOptions>(command);
    const [
      { openNetwork },
      { chaincodeState },
      { whereabouts },
      { restartStep },
      { serviceRestartStep },
      { printResult },
    ] = await Promise.all([
      import("../connect.ts"),
      import("../../../core/chaincode/daily/state.ts"),
      import("../../../core/chaincode/daily/logs.ts"),
      import("../../../core/chaincode/daily/restart-step.ts"),
      import("../../../core/chaincode/daily/service-restart.ts"),
      import("../../terminal/output.ts"),
    ]);
    const network = await openNetwork(options, terminal);
    try {
      const steps = async (signal: AbortSignal) => {
        const state = await chaincodeState(network, { name, channel: options.channel }, signal);
        const { containers, services, leftOut } = whereabouts(network, state, options.peer);
        for (const line of leftOut) noticeOn(terminal)(line);
        return [
          ...containers.map((source) => restartStep(network, state, source)),
          ...services.map(({ service, nodes }) => serviceRestartStep(network, state, service, nodes)),
        ];
      };
      const resultOf = (report: PlansReport) => ({ chaincode: name, ...report });
      const report = await runPlans(terminal, options, [{ title: `chaincode ${name}`, steps }], resultOf);
      await printResult(terminal, options.output, {
        data: resultOf(report),
        table: () => conclusion(report, undefined),
        names: () => report.steps.map(({ id }) => id),
      });
    } finally {
      await network.close();
    }
  });
};
