import { Option } from "commander";
import { profileNames, type ProfileName } from "../../core/injection/profile.ts";
import type { NetworkRequest } from "../../core/network/resources/network-request.ts";
import { noticeOn } from "../terminal/notice.ts";
import { idleTime, list, nodeCount } from "./arguments.ts";
import { neverBoth, optionsOf, type CommandDefinition, type GlobalOptions, type PlanOptions } from "./command.ts";
import { conclusion, lastLook, planOptions, type PlansReport, runPlans } from "./plan-run.ts";

interface InitOptions extends PlanOptions {
  readonly file?: string;
  readonly fabricVersion?: string;
  readonly peerOrgs?: readonly string[];
  readonly peers?: number;
  readonly ordererOrg?: string;
  readonly orderers?: number;
  readonly storageClass?: string;
  readonly profile?: ProfileName;
  readonly chaincodeIdle?: string | false;
  readonly peerImage?: string;
  readonly ordererImage?: string;
  readonly peerMemory?: string;
  readonly ordererMemory?: string;
}

/** The options that a file replaces. */
const definingOptions = [
  "fabricVersion",
  "peerOrgs",
  "peers",
  "ordererOrg",
  "orderers",
  "storageClass",
  "profile",
  "chaincodeIdle",
  "peerImage",
  "ordererImage",
  "peerMemory",
  "ordererMemory",
] as const satisfies readonly (keyof InitOptions)[];

/** The network as the options say it; with -f the file does. */
export function initRequest(options: GlobalOptions & InitOptions): NetworkRequest {
  return {
    name: options.network,
    fabricVersion: options.fabricVersion,
    peerOrganizations: options.peerOrgs,
    peers: options.peers,
    ordererOrganization: options.ordererOrg,
    orderers: options.orderers,
    storageClass: options.storageClass,
    profile: options.profile,
    chaincodeIdle: options.chaincodeIdle,
    peerImage: options.peerImage,
    ordererImage: options.ordererImage,
    peerMemory: options.peerMemory,
    ordererMemory: options.ordererMemory,
  };
}

export const init: CommandDefinition = (program, terminal) => {
  const command = program
    .command("init")
    .summary("bootstrap a network, one namespace per organization")
    .description(
      "Bootstraps a Fabric network: for each organization a namespace with its certificate authorities, identities\n" +
        "(Secrets), orderers or peers. Peers are annotated for the webhook, which gives them what runs chaincode.\n" +
        "What is there already is left as it is; run it again after anything that stopped it.\n" +
        "What changes nodes that run restarts them one at a time, and ends with the first that does not come up.",
    )
    .addOption(
      new Option(
        "-f, --file <file>",
        "a FabricNetwork (YAML) instead of the options below; - for standard input",
      ).conflicts([...definingOptions]),
    )
    .option("--fabric-version <tag>", "tag of Fabric's images (default: 3.1)")
    .option("--peer-orgs <names>", "peer organizations (default: org1,org2)", list)
    .option("--peers <count>", "peers of each organization (default: 1)", nodeCount)
    .option("--orderer-org <name>", "the orderer organization (default: orderer)")
    .option("--orderers <count>", "Raft orderers (default: 3)", nodeCount)
    .option("--storage-class <name>", "StorageClass of new ledgers and Docker graphs (default: the cluster's own)")
    .addOption(
      new Option(
        "--profile <name>",
        "how the peers' sidecars are isolated (default: privileged, Docker; restricted: no privilege and no Docker)",
      ).choices(profileNames),
    )
    .option(
      "--chaincode-idle <time>",
      "stop chaincode that nobody has called for so long, as 10m; the next call starts it",
      idleTime,
    )
    .option("--no-chaincode-idle", "let it run on (the default)")
    .option("--peer-image <image>", "instead of docker.io/hyperledger/fabric-peer")
    .option("--orderer-image <image>", "instead of docker.io/hyperledger/fabric-orderer")
    .option("--peer-memory <quantity>", "what a peer may use at most (default: 4Gi)")
    .option("--orderer-memory <quantity>", "what an orderer may use at most (default: 2Gi)")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric init
  kubectl fabric init --peer-orgs airline,hotel --peers 2 --orderers 5
  kubectl fabric init --profile restricted                 no privileged container, no root, no Docker
  kubectl fabric init --dry-run -o yaml > network.yaml     the complete definition, to edit
  kubectl fabric init -f network.yaml`,
    );
  neverBoth(command, "chaincode-idle");
  planOptions(command, "10m").action(async () => {
    const options = optionsOf<InitOptions>(command);
    const [
      { connect, networkOn },
      { definitionFor },
      { readNetworkFile },
      { initSteps },
      { caughtUp },
      { printResult },
      { afterInit },
    ] = await Promise.all([
      import("./connect.ts"),
      import("../../core/network/resources/definition.ts"),
      import("../../core/network/resources/spec-file.ts"),
      import("../../core/network/operations/init.ts"),
      import("../../core/network/session/heights.ts"),
      import("../terminal/output.ts"),
      import("./next-command.ts"),
    ]);
    const cluster = await connect(options, terminal);
    const definition = await definitionFor(
      cluster,
      options.file !== undefined
        ? await readNetworkFile(options.file, terminal.stdin, options.network)
        : initRequest(options),
      noticeOn(terminal),
      terminal.signal,
    );
    const network = networkOn(cluster, definition);
    try {
      const title = `network ${definition.metadata.name}`;
      const steps = () => initSteps(cluster, definition, (node, context) => caughtUp(network, node, context));
      const resultOf = (report: PlansReport) => ({ network: definition, ...report });
      const report = await runPlans(terminal, options, [{ title, steps }], resultOf);
      const next = options.dryRun ? undefined : await lastLook(afterInit(network, terminal.signal), terminal.signal);
      await printResult(terminal, options.output, {
        data: options.dryRun && options.output === "yaml" ? definition : resultOf(report),
        table: () => conclusion(report, next, options),
        names: () => [definition.metadata.name],
      });
    } finally {
      await network.close();
    }
  });
};
