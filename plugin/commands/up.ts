import { basename, resolve } from "node:path";
import { Option } from "commander";
import type { DeployRequest } from "../../core/chaincode/deployment/deploy-request.ts";
import type { NetworkRequest } from "../../core/network/resources/network-request.ts";
import { noticeOn } from "../terminal/notice.ts";
import { collect, list } from "./arguments.ts";
import { neverBoth, optionsOf, type CommandDefinition, type GlobalOptions, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans, type Plan, type PlansReport } from "./plan-run.ts";

export interface UpOptions extends PlanOptions {
  readonly chaincode: string;
  readonly name?: string;
  readonly channel: string;
  readonly fabricVersion?: string;
  readonly loadImage?: readonly string[];
  readonly include?: readonly string[];
  readonly bundle?: boolean;
  readonly language?: "golang" | "node" | "java";
}

/** What the four commands that `up` stands for are asked. */
export interface UpRequest {
  readonly network: NetworkRequest;
  readonly channel: string;
  readonly deployment: DeployRequest;
}

export function upRequest(options: GlobalOptions & UpOptions): UpRequest {
  const { chaincode: path, name = basename(resolve(path)), channel, loadImage, include, bundle, language } = options;
  return {
    network: { name: options.network, fabricVersion: options.fabricVersion },
    channel,
    deployment: { name, path, channel, loadImage, include, bundle, language },
  };
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
    .option("--include <files>", "of the folder, though they look like keys or passwords: .npmrc,tls/root.pem", list)
    .option(
      "--bundle",
      "Node: install the lock file's production dependencies for the package (default: where npm can)",
    )
    .option("--no-bundle", "pack node_modules as they lie")
    .addOption(
      new Option("--language <language>", "where the folder can be chaincode in several").choices([
        "golang",
        "node",
        "java",
      ]),
    )
    .option("--load-image <file>", "image archive to load into each peer's daemon before", collect)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric up --chaincode ./my-chaincode
  kubectl fabric up --chaincode ./my-chaincode --dry-run`,
    );
  neverBoth(command, "bundle");
  planOptions(command, "20m").action(async () => {
    const options = optionsOf<UpOptions>(command);
    const request = upRequest(options);
    const { channel, deployment } = request;
    const [
      { connect, networkOn },
      { definitionFor },
      { initSteps },
      { caughtUp },
      { joinSteps },
      { checkBeforehand, deploySteps },
      { installedWebhook, webhookInstallSteps },
      { printResult },
      { callOf },
    ] = await Promise.all([
      import("./connect.ts"),
      import("../../core/network/resources/definition.ts"),
      import("../../core/network/operations/init.ts"),
      import("../../core/network/session/heights.ts"),
      import("../../core/network/operations/join.ts"),
      import("../../core/chaincode/rollout/deploy.ts"),
      import("../../core/installation/webhook.ts"),
      import("../terminal/output.ts"),
      import("./next-command.ts"),
    ]);
    // The deployment comes last, but its request may be wrong from the beginning.
    await checkBeforehand(deployment);
    const cluster = await connect(options, terminal);
    const definition = await definitionFor(cluster, request.network, noticeOn(terminal), terminal.signal);
    const network = networkOn(cluster, definition);
    try {
      const plans: readonly Plan[] = [
        {
          title: "webhook",
          steps: async (signal) => webhookInstallSteps(cluster, await installedWebhook(cluster, signal)),
        },
        {
          title: `network ${definition.metadata.name}`,
          looksAhead: true,
          steps: () => initSteps(cluster, definition, (node, context) => caughtUp(network, node, context)),
        },
        { title: `channel ${channel}`, steps: () => joinSteps(network, channel) },
        {
          title: `chaincode ${deployment.name}`,
          consent: true,
          steps: (signal) => deploySteps(network, deployment, signal),
        },
      ];
      const resultOf = (report: PlansReport) => ({ chaincode: deployment.name, channel, ...report });
      const report = await runPlans(terminal, options, plans, resultOf);
      const next = callOf(deployment.name, channel);
      await printResult(terminal, options.output, {
        data: resultOf(report),
        table: () => conclusion(report, next, options),
        names: () => [deployment.name],
      });
    } finally {
      await network.close();
    }
  });
};
