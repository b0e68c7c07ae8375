import type { BroughtImage, SeedRequest } from "../../../core/chaincode/daily/seed-plan.ts";
import { collect, list } from "../arguments.ts";
import { optionsOf, type CommandDefinition, type PlanOptions } from "../command.ts";
import { planOptions, runPlans, type PlansReport } from "../plan-run.ts";

interface SeedOptions extends PlanOptions {
  readonly orgs?: readonly string[];
  readonly peers?: readonly string[];
  readonly loadImage?: readonly string[];
}

/** Which peers are to be able to run what. */
export function seedRequest(name: string | undefined, options: SeedOptions): SeedRequest {
  return { name, organizations: options.orgs, peers: options.peers, loadImage: options.loadImage };
}

export const chaincodeSeed: CommandDefinition = (program, terminal) => {
  const command = program
    .command("seed")
    .argument("[name]", "name of the chaincode; every committed one unless given")
    .summary("give peers the images that they lack, without building them")
    .description(
      "Makes every peer able to run the chaincode that its organization has approved: installs the package and brings the\n" +
        "image into the daemon, made of the package or copied from another peer with only the layers that are missing.\n" +
        "For peers that came later, and for such as lost their images. What is there is left as it is.",
    )
    .option("--orgs <names>", "only the peers of these organizations", list)
    .option("--peers <names>", "only these peers, as peer0.org1,peer1.org1", list)
    .option(
      "--load-image <file>",
      "image archive to load into each peer's daemon before, where it can pull none",
      collect,
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric chaincode seed
  kubectl fabric chaincode seed asset --peers peer1.org1
  kubectl fabric chaincode seed --load-image fabric-nodeenv.tar     no registry
  kubectl fabric chaincode seed --dry-run`,
    );
  planOptions(command, "10m").action(async (name: string | undefined) => {
    const options = optionsOf<SeedOptions>(command);
    const [{ openNetwork }, { seedSteps }, { seedTable }, { printResult }] = await Promise.all([
      import("../connect.ts"),
      import("../../../core/chaincode/daily/seed-plan.ts"),
      import("../seed-table.ts"),
      import("../../terminal/output.ts"),
    ]);
    const network = await openNetwork(options, terminal);
    try {
      const brought: BroughtImage[] = [];
      const request: SeedRequest = { ...seedRequest(name, options), onBrought: (image) => brought.push(image) };
      const title = `images of ${name ?? "chaincode"}`;
      const steps = (signal: AbortSignal) => seedSteps(network, request, signal);
      const resultOf = (report: PlansReport) => ({
        ...(name === undefined ? {} : { chaincode: name }),
        ...report,
        images: brought.map(({ provision, ...image }) => ({ ...image, ...provision })),
      });
      const report = await runPlans(terminal, options, [{ title, steps }], resultOf);
      await printResult(terminal, options.output, {
        data: resultOf(report),
        table: (width) => seedTable(report, brought, width),
        names: () => report.steps.map(({ id }) => id),
      });
    } finally {
      await network.close();
    }
  });
};
