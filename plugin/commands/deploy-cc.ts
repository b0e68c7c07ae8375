import { Option } from "commander";
import type { DeployRequest } from "../../core/chaincode/deployment/deploy-request.ts";
import { FabricError } from "../../core/error.ts";
import { noticeOn } from "../terminal/notice.ts";
import { callArguments, collect, list, positiveInteger } from "./arguments.ts";
import { neverBoth, optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, lastLook, planOptions, type PlansReport, runPlans } from "./plan-run.ts";

interface DeployOptions extends PlanOptions {
  readonly path?: string;
  readonly image?: string;
  readonly language?: "golang" | "node" | "java";
  readonly channel: string;
  readonly label?: string;
  readonly chaincodeVersion?: string;
  readonly policy?: string;
  readonly loadImage?: readonly string[];
  readonly orgs?: readonly string[];
  readonly org?: string;
  readonly peers?: readonly string[];
  readonly collections?: string;
  readonly init?: boolean;
  readonly initArgs?: readonly string[];
  readonly packageId?: string;
  readonly rollbackTo?: number;
  readonly build: boolean;
  readonly offline: boolean;
  readonly include?: readonly string[];
  readonly bundle?: boolean;
  readonly runtime?: string;
  readonly per?: string;
  readonly clientAuth?: boolean;
  readonly start?: string;
}

/** What the command line says about a deployment. --build is no part of it: the folder is built before. */
export function deployRequest(name: string, options: DeployOptions): DeployRequest {
  return {
    name,
    channel: options.channel,
    path: options.path,
    image: options.image,
    language: options.language,
    packageId: options.packageId,
    rollbackTo: options.rollbackTo,
    label: options.label,
    offline: options.offline,
    include: options.include,
    bundle: options.bundle,
    version: options.chaincodeVersion,
    policy: options.policy,
    collections: options.collections,
    initRequired: options.init,
    initArguments: options.initArgs,
    organizations: options.org === undefined ? options.orgs : [options.org],
    peers: options.peers,
    loadImage: options.loadImage,
    runtime: options.runtime,
    per: options.per,
    clientAuth: options.clientAuth,
    start: options.start,
  };
}

export const deployCc: CommandDefinition = (program, terminal) => {
  const command = program
    .command("deploy-cc")
    .argument("<name>", "name of the chaincode on the channel")
    .summary("deploy chaincode: package, install, approve, commit, start")
    .description(
      "Deploys chaincode to the organizations of a channel: packages the folder (the same source gives the same\n" +
        "package ID on any machine), installs it on each peer, approves it for each organization, commits the definition\n" +
        "and starts it on each peer. Version and sequence are found out; unchanged chaincode is left as it is. What is not\n" +
        "said (policy, collections, init, and without --path the package) stays as it is on the channel.\n" +
        "Ends with 3 while other organizations still have to approve, or a peer is not ready.",
    )
    .option("--path <dir>", "folder of the chaincode, or a package (.tar.gz); needed for the first deployment")
    .option(
      "--image <ref>",
      "an image instead of sources: what a peer's daemon has or can pull, a file of docker save, a static Linux program;\n" +
        "service: what the cluster pulls",
    )
    .addOption(
      new Option(
        "--language <language>",
        "how a peer starts that image (default: by its label, or what it offers), or builds a folder that has several",
      ).choices(["golang", "node", "java"]),
    )
    .requiredOption("-C, --channel <name>", "the channel")
    .option("--build", "run the folder's npm run build before (TypeScript)", false)
    .option(
      "--bundle",
      "Node: install the lock file's production dependencies for the package (default: where npm can)",
    )
    .option("--no-bundle", "pack node_modules as they lie")
    .option("--offline", "refuse what the peer's build would have to download", false)
    .option("--include <files>", "of the folder, though they look like keys or passwords: .npmrc,tls/root.pem", list)
    .option("--label <label>", "label of the package (default: the chaincode's name)")
    .option(
      "--chaincode-version <version>",
      "version of the definition (default: the sequence that brings the package)",
    )
    .option(
      "--policy <policy>",
      "endorsement policy, as \"AND('Org1MSP.peer','Org2MSP.peer')\" or /Channel/Application/Endorsement",
    )
    .option("--collections <file>", "private data collections, in the peer command's JSON")
    .option("--init", "the chaincode has to be initialized, and is: with --init-args")
    .option("--no-init", "it has not")
    .option("--init-args <json>", 'arguments of that call, as \'{"Args":["Init","a"]}\'', callArguments)
    .option("--package-id <id>", "a package that peers have installed, instead of --path")
    .option(
      "--rollback-to <sequence>",
      "back to a former definition: its package, version, policy, collections",
      positiveInteger,
    )
    .addOption(
      new Option(
        "--org <name>",
        "only this organization installs and approves; commits when enough others have",
      ).conflicts("orgs"),
    )
    .option("--orgs <names>", "only these organizations install and approve", list)
    .option("--peers <names>", "only these peers install it, as peer0.org1,peer0.org2", list)
    .option(
      "--load-image <file>",
      "image archive to load into each peer's daemon before, where it can pull none",
      collect,
    )
    .option(
      "--runtime <name>",
      "dind: in each peer's own Docker; on-demand: there, only while it is called; service: a Deployment that peers dial",
      "dind",
    )
    .option("--start <command>", 'service: what to run in it; "node" for Node chaincode (default: the image knows)')
    .option("--per <what>", "service: one for each organization, or for each peer (default: organization)")
    .option("--client-auth", "service: the chaincode asks its peers for a certificate, too")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric deploy-cc asset --path ./chaincode --channel mychannel
  kubectl fabric deploy-cc asset --path ./asset.tar.gz -C mychannel --policy "OR('Org1MSP.peer','Org2MSP.peer')"
  kubectl fabric deploy-cc asset -C mychannel --policy /Channel/Application/Endorsement   another policy only
  kubectl fabric deploy-cc asset --path ./chaincode -C mychannel --collections collections.json
  kubectl fabric deploy-cc asset -C mychannel --image registry.example/asset:1.2         no build in any peer
  kubectl fabric deploy-cc asset -C mychannel --image ./chaincode                        CGO_ENABLED=0 go build
  kubectl fabric deploy-cc asset -C mychannel --rollback-to 3
  kubectl fabric deploy-cc asset --path ./chaincode -C mychannel --org org2     as org2's administrator only
  kubectl fabric deploy-cc asset --path ./chaincode -C mychannel --load-image fabric-nodeenv.tar     no registry
  kubectl fabric deploy-cc asset --runtime service --image registry.example.com/asset:1 -C mychannel`,
    );
  neverBoth(command, "init");
  neverBoth(command, "bundle");
  planOptions(command, "15m").action(async (name: string) => {
    const options = optionsOf<DeployOptions>(command);
    if (options.build && options.path === undefined) {
      throw new FabricError("usage", "expected --build together with --path only: it builds that folder");
    }
    const [{ openNetwork }, { deploySteps }, { stateAfter }, { chaincodesTable }, { printResult }, { callOf }] =
      await Promise.all([
        import("./connect.ts"),
        import("../../core/chaincode/rollout/deploy.ts"),
        import("../../core/chaincode/daily/state.ts"),
        import("./chaincode/table.ts"),
        import("../terminal/output.ts"),
        import("./next-command.ts"),
      ]);
    const network = await openNetwork(options, terminal);
    try {
      const title = `chaincode ${name} on ${options.channel}`;
      const request: DeployRequest = { ...deployRequest(name, options), notice: noticeOn(terminal) };
      if (options.build && options.path !== undefined) {
        const { buildSource } = await import("../../core/chaincode/package/source-build.ts");
        await buildSource(options.path, terminal.stderr, terminal.signal);
      }
      const steps = (signal: AbortSignal) => deploySteps(network, request, signal);
      const resultOf = (report: PlansReport) => ({ chaincode: name, channel: options.channel, ...report });
      const report = await runPlans(terminal, options, [{ title, consent: true, steps }], resultOf);
      const look = () => stateAfter(network, options.channel, name, terminal.signal);
      const state = options.dryRun ? undefined : await lastLook(look(), terminal.signal);
      const next = callOf(name, options.channel);
      await printResult(terminal, options.output, {
        data: { ...resultOf(report), ...(state ? { state } : {}) },
        table: (width) => `${state ? chaincodesTable([state], width) : ""}${conclusion(report, next, options)}`,
        names: () => [name],
      });
    } finally {
      await network.close();
    }
  });
};
