import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans, type PlansReport } from "./plan-run.ts";

export const down: CommandDefinition = (program, terminal) => {
  const command = program
    .command("down")
    .summary("delete a network with its ledgers and keys")
    .description(
      "Deletes the namespaces of a network and all that is in them: Pods, ledgers, identities. Waits until they are gone.\n" +
        "The webhook stays (kubectl fabric webhook uninstall).",
    )
    .option("-y, --yes", "do not ask", false)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric down
  kubectl fabric down --yes --network fabric`,
    );
  planOptions(command, "5m").action(async () => {
    const options = optionsOf<PlanOptions & { readonly yes: boolean }>(command);
    const [{ connect }, { downSteps, networkNamespaces }, { printResult }, { confirm }] = await Promise.all([
      import("./connect.ts"),
      import("../../core/network/operations/down.ts"),
      import("../terminal/output.ts"),
      import("../terminal/confirm.ts"),
    ]);
    const cluster = await connect(options, terminal);
    const { name, namespaces: found } = await networkNamespaces(cluster, options.network, terminal.signal);
    const namespaces = found.map(({ ref }) => ref.name);
    if (namespaces.length > 0 && !options.yes && !options.dryRun) {
      const question = `This deletes network ${name} with its ledgers and keys: namespaces ${namespaces.join(", ")}.`;
      await confirm(terminal, question, name);
    }
    const title = `network ${name}`;
    const resultOf = (report: PlansReport) => ({ network: name, namespaces, ...report });
    const report = await runPlans(
      terminal,
      options,
      [{ title, consent: true, steps: () => downSteps(cluster, found) }],
      resultOf,
    );
    const missing = `nothing to do: there is no network${options.network === undefined ? "" : ` ${name}`}\n`;
    await printResult(terminal, options.output, {
      data: resultOf(report),
      table: () => (namespaces.length === 0 ? missing : conclusion(report, undefined)),
      names: () => namespaces,
    });
  });
};
