import { list } from "./arguments.ts";
import { optionsOf, printsOnly, type CommandDefinition } from "./command.ts";
import { typed } from "../terminal/remedy.ts";

export const doctor: CommandDefinition = (program, terminal) => {
  const command = program
    .command("doctor")
    .summary("check whether the cluster and its namespaces can run all this, and what to do if not")
    .description(
      "Looks at the API server, the nodes, the webhook, storage and, for each namespace, your rights, the isolation profiles\n" +
        "that peers can have there, peers that should be moved or made anew, and nodes that do not run. Says after each finding\n" +
        "what to type next.\n" +
        "Changes nothing: the Pods that it asks the API server about are not created. What it may not look at is 'unknown'.\n" +
        "Ends with 3 when there is a problem.",
    )
    .option(
      "-n, --namespace <names>",
      "namespaces of peers (default: those of the networks that are there, else the context's)",
      list,
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric doctor
  kubectl fabric doctor -n org1,org2
  kubectl fabric doctor -o json | jq '.findings[] | select(.level == "problem")'
  kubectl fabric doctor -n org1 -o json | jq -r '.namespaces[].recommended'`,
    )
    .action(async () => {
      const options = optionsOf<{ readonly namespace?: readonly string[] }>(command);
      const [{ connect }, { examine }, { doctorText }, { printResult }, { exitCodes }, { painter }] = await Promise.all(
        [
          import("./connect.ts"),
          import("../../core/doctor/examine.ts"),
          import("./doctor-text.ts"),
          import("../terminal/output.ts"),
          import("../terminal/failure.ts"),
          import("../terminal/colour.ts"),
        ],
      );
      const cluster = await connect(options, terminal);
      const examined = await examine(cluster, options.namespace, options.network, terminal.signal);
      const findings = examined.findings.map(({ hint, ...finding }) =>
        hint === undefined ? finding : { ...finding, hint: typed(hint, options) },
      );
      await printResult(terminal, options.output, {
        data: { ...examined, findings },
        painted: true,
        table: (width) => doctorText(examined, painter(terminal.stdout, terminal.env), width, options),
      });
      if (!examined.healthy) process.exitCode = exitCodes.notReady;
    });
  // Findings have no names.
  printsOnly(command, ["table", "json", "yaml"]);
};
