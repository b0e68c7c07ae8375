import { collect, list } from "./arguments.ts";
import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans } from "./plan-run.ts";

interface DeployOptions extends PlanOptions {
  readonly path: string;
  readonly channel: string;
  readonly label?: string;
  readonly chaincodeVersion?: string;
  readonly policy?: string;
  readonly loadImage?: readonly string[];
  readonly orgs?: readonly string[];
}

export const deployCc: CommandDefinition = (program, terminal) => {
  const command = program
    .command("deploy-cc")
    .argument("<name>", "name of the chaincode on the channel")
    .summary("deploy chaincode: package, install, approve, commit")
    .description(
      "Deploys chaincode to every organization of a channel: packages the folder (the same source gives the same\n" +
        "package ID on any machine), installs it on each peer, approves it for each organization, commits the definition.\n" +
        "Version and sequence are found out; unchanged chaincode is left as it is.",
    )
    .requiredOption("--path <dir>", "folder of the chaincode, or a package (.tar.gz)")
    .requiredOption("-C, --channel <name>", "the channel")
    .option("--label <label>", "label of the package (default: the chaincode's name)")
    .option("--chaincode-version <version>", "version of the definition (default: its sequence)")
    .option(
      "--policy <policy>",
      "endorsement policy, as \"AND('Org1MSP.peer','Org2MSP.peer')\" (default: the channel's)",
    )
    .option("--orgs <names>", "only these organizations install and approve", list)
    .option(
      "--load-image <file>",
      "image archive to load into each peer's daemon before, where it can pull none",
      collect,
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric deploy-cc asset --path ./chaincode --channel mychannel
  kubectl fabric deploy-cc asset --path ./asset.tar.gz -C mychannel --policy "OR('Org1MSP.peer','Org2MSP.peer')"
  kubectl fabric deploy-cc asset --path ./chaincode -C mychannel --load-image fabric-nodeenv.tar     no registry`,
    );
  planOptions(command, "15m").action(async (name: string) => {
    const options = optionsOf<DeployOptions>(command);
    const [{ openNetwork }, { deploySteps }, { printResult }] = await Promise.all([
      import("./connect.ts"),
      import("../chaincode/deploy.ts"),
      import("../terminal/output.ts"),
    ]);
    const network = await openNetwork(options, terminal);
    try {
      const title = `chaincode ${name} on ${options.channel}`;
      const request = { name, ...options, version: options.chaincodeVersion, organizations: options.orgs };
      const report = await runPlans(terminal, options, [
        { title, steps: (signal) => deploySteps(network, request, signal) },
      ]);
      await printResult(terminal, options.output, {
        data: { chaincode: name, channel: options.channel, ...report },
        table: () =>
          conclusion(report, `kubectl fabric invoke ${name} FUNCTION [ARGUMENT...] --channel ${options.channel}`),
        names: () => [name],
      });
    } finally {
      await network.close();
    }
  });
};
