import { basename, resolve } from "node:path";
import { collect } from "./arguments.ts";
import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans } from "./plan-run.ts";

interface UpOptions extends PlanOptions {
  readonly chaincode: string;
  readonly name?: string;
  readonly channel: string;
  readonly fabricVersion?: string;
  readonly loadImage?: readonly string[];
}

export const up: CommandDefinition = (program, terminal) => {
  const command = program
    .command("up")
    .summary("all at once: webhook, network, channel, chaincode")
    .description(
      "webhook install, init, join and deploy-cc in one, with their defaults. What is there already is left as it is.",
    )
    .requiredOption("--chaincode <dir>", "folder of the chaincode")
    .option("--name <name>", "name of the chaincode (default: the folder's name)")
    .option("-C, --channel <name>", "the channel", "mychannel")
    .option("--fabric-version <tag>", "tag of Fabric's images (default: 3.1)")
    .option("--load-image <file>", "image archive to load into each peer's daemon before", collect)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric up --chaincode ./my-chaincode
  kubectl fabric up --chaincode ./my-chaincode --dry-run`,
    );
  planOptions(command, "20m").action(async () => {
    const options = optionsOf<UpOptions>(command);
    const name = options.name ?? basename(resolve(options.chaincode));
    const [
      { connect, networkOn },
      { networkFromOptions },
      { initSteps },
      { joinSteps },
      { deploySteps },
      { webhookInstallSteps },
      { printResult },
    ] = await Promise.all([
      import("./connect.ts"),
      import("../network/spec.ts"),
      import("../network/init.ts"),
      import("../network/join.ts"),
      import("../chaincode/deploy.ts"),
      import("../network/webhook.ts"),
      import("../terminal/output.ts"),
    ]);
    const cluster = await connect(options, terminal);
    const definition = networkFromOptions({ name: options.network, fabricVersion: options.fabricVersion });
    const network = networkOn(cluster, definition);
    const deployment = { name, path: options.chaincode, channel: options.channel, loadImage: options.loadImage };
    try {
      const report = await runPlans(terminal, options, [
        { title: "webhook", steps: () => webhookInstallSteps(cluster, {}) },
        { title: `network ${definition.metadata.name}`, steps: () => initSteps(cluster, definition) },
        { title: `channel ${options.channel}`, steps: () => joinSteps(network, options.channel) },
        { title: `chaincode ${name}`, steps: (signal) => deploySteps(network, deployment, signal) },
      ]);
      const next = `kubectl fabric invoke ${name} FUNCTION [ARGUMENT...] --channel ${options.channel}`;
      await printResult(terminal, options.output, {
        data: { chaincode: name, channel: options.channel, ...report },
        table: () => conclusion(report, next),
        names: () => [name],
      });
    } finally {
      await network.close();
    }
  });
};
