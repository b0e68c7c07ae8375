import type { Command } from "commander";
import type { CleanupRequest, Leftovers } from "../../core/orphans/cleanup.ts";
import type { Finding, Source, Verdict } from "../../core/orphans/judgement/finding.ts";
import type { Schedule } from "../../core/orphans/schedule.ts";
import type { Survey } from "../../core/orphans/survey.ts";
import { version } from "../../core/process/version.ts";
import type { Terminal } from "../terminal/io.ts";
import { noticeOn } from "../terminal/notice.ts";
import { typed } from "../terminal/remedy.ts";
import { age, collect, cronSchedule, list } from "./arguments.ts";
import type { CleanupScope, Doubt } from "./cleanup/plans.ts";
import { optionsOf, type CommandDefinition, type GlobalOptions, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans, type PlansReport } from "./plan-run.ts";

interface CleanupOptions extends PlanOptions, CleanupScope {
  readonly yes: boolean;
}

/** The parts of a request that are read from files, and the cluster's defaults for `nodes`. */
type LookedUp = Pick<CleanupRequest, "sources" | "identities" | "nodes">;

/** What to look at, and what to look for. --yes is no part of it: it decides what happens to what was found. */
export function cleanupRequest(
  options: GlobalOptions & CleanupOptions,
  { sources, identities, nodes }: LookedUp,
): CleanupRequest {
  return {
    sources,
    olderThan: options.olderThan,
    network: options.network,
    organizations: options.org,
    peers: options.peer,
    identities,
    gonePeers: options.gonePeer ?? [],
    nodes: {
      namespace: options.nodeNamespace ?? nodes.namespace,
      image: options.nodeImage ?? nodes.image,
      socket: options.nodeSocket ?? nodes.socket,
    },
  };
}

export const cleanup: CommandDefinition = (program, terminal) => {
  const group = program
    .command("cleanup")
    .summary("find chaincode that nobody needs any more, and remove it")
    .description(
      "Finds images, containers, build leftovers, Jobs, Secrets, Deployments and Services that no committed or approved\n" +
        "definition and no running peer needs. Shows the plan; --yes carries it out. What cannot be proved to be an\n" +
        "orphan is kept, and said. Ends with 3 when a peer or a source could not be looked at.\n\n" +
        "A peer that starts builds again what is missing of its packages, superseded ones included. So --yes removes their\n" +
        "images only when the peer has shown that it is through with its start: the peer writes into its log, asked by\n" +
        "SIGUSR1, what its goroutines are at. Where nothing shows it, images are removed all the same, a second run may be\n" +
        "needed, and the command says so and ends with 3.",
    )
    .option("-y, --yes", "remove the orphans", false)
    .option("--older-than <time>", "only what is at least so old, as 12h or 7d", age)
    .option("--org <names>", "only of peers of these organizations", list)
    .option("--peer <names>", "only of these peers: peer0.org1, or namespace/pod", list)
    .option("--source <names>", "dind, builder-k8s, service, host-docker (default: all but host-docker)", list)
    .option(
      "--msp-dir <mspid=path>",
      "administrator's MSP folder or SDK wallet entry, for peers that others deployed; can be repeated",
      collect,
    )
    .option("--tls-ca-file <mspid=file>", "TLS authorities that are not with the identity; can be repeated", collect)
    .option(
      "--key-passphrase-file <file>",
      "opens encrypted keys, as /dev/fd/3 too (default: asked on the terminal); can be repeated",
      collect,
    )
    .option("--gone-peer <names>", "peers that are gone for good, as [network/]peer: what is theirs is an orphan", list)
    .option("--node-namespace <name>", "host-docker: where its short-lived Pods run (default: the context's)")
    .option("--node-image <image>", "host-docker: an image with the docker command")
    .option("--node-socket <path>", "host-docker: the daemon's socket on the node (default: /run/docker.sock)")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric cleanup                                 what is left over
  kubectl fabric cleanup --yes --older-than 7d
  kubectl fabric cleanup --org org1 --source dind -o json
  kubectl fabric cleanup --source host-docker --node-namespace kube-system
  kubectl fabric cleanup --msp-dir Org3MSP=./admin/msp   peers that somebody else deployed
  kubectl fabric cleanup --msp-dir Org3MSP=./wallet/admin.id --tls-ca-file Org3MSP=./tlsca.pem
  kubectl fabric cleanup schedule                        every night, by a CronJob`,
    );
  planOptions(group, "15m").action(async () => {
    await runCleanup(terminal, optionsOf<CleanupOptions>(group));
  });
  scheduleCommand(group, terminal);
  unscheduleCommand(group, terminal);
};

async function runCleanup(terminal: Terminal, options: GlobalOptions & CleanupOptions): Promise<void> {
  const [
    { connect, networkOn },
    { agreedNetworks, findNetwork },
    { openCleanup },
    { againOperation, cleanupPlans, doubts, isIncomplete, removeOperation, together },
    { readToldIdentities },
    { passphrasesFrom },
    { nodeAccessDefaults },
    { cleanupClosing, cleanupTable },
    { printResult },
    { exitCodes },
  ] = await Promise.all([
    import("./connect.ts"),
    import("../../core/network/resources/definition.ts"),
    import("../../core/orphans/cleanup.ts"),
    import("./cleanup/plans.ts"),
    import("../../core/orphans/judgement/told-identity.ts"),
    import("../terminal/passphrase.ts"),
    import("../../core/orphans/places/node-pod.ts"),
    import("./cleanup/table.ts"),
    import("../terminal/output.ts"),
    import("../terminal/failure.ts"),
  ]);
  const { signal } = terminal;
  const sources = await sourcesOf(options.source);
  const identities = await readToldIdentities(
    { identities: options.mspDir ?? [], tlsAuthorities: options.tlsCaFile ?? [] },
    { passphrases: passphrasesFrom(terminal, options.keyPassphraseFile), now: new Date() },
  );
  const cluster = await connect(options, terminal);
  const lasting = cluster.lasting();
  if (options.network !== undefined) await findNetwork(cluster, options.network, () => {}, signal);
  // All networks, whichever was named: what a peer of another network needs is needed, too.
  const definitions = await agreedNetworks(cluster, noticeOn(terminal), signal);
  const networks = definitions.map((definition) => networkOn(cluster, definition));
  const nodes = { namespace: cluster.namespace, ...nodeAccessDefaults };
  const request = cleanupRequest(options, { sources, identities, nodes });
  try {
    const opened = await openCleanup({ cluster, lasting }, networks, request, signal);
    let found: Survey = opened;
    let report: PlansReport | undefined;
    let mayComeBack: readonly Doubt[] = [];
    // Both functions read `found` when they are called: it has changed when the plans have looked again.
    const blindPlaces = () =>
      found.blind.map(({ hint, ...place }) => (hint === undefined ? place : { ...place, hint: typed(hint, options) }));
    const resultOf = (removed?: PlansReport, mayComeBack?: readonly Doubt[]) => {
      const [orphans, kept] = [withVerdict(found, "orphan"), withVerdict(found, "kept")];
      return {
        orphans,
        kept,
        needed: found.findings.length - orphans.length - kept.length,
        uncommitted: found.uncommitted,
        notLookedAt: blindPlaces(),
        bytes: orphans.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
        ...(removed ? { removed, mayComeBack } : {}),
      };
    };
    try {
      if (options.yes && !options.dryRun) {
        const plans = cleanupPlans(opened, (later: Leftovers) => (found = together(opened, later)));
        report = await runPlans(terminal, options, plans, (removed) => resultOf(removed));
        const again = typed(againOperation(options), options);
        mayComeBack = await doubts(opened.starts, found.findings, report, again, signal);
      }
    } finally {
      await opened.close();
    }
    const orphans = withVerdict(found, "orphan");
    await printResult(terminal, options.output, {
      data: resultOf(report, mayComeBack),
      table: (width) =>
        cleanupTable(found, options.verbose, width, options) +
        cleanupClosing(found, report, mayComeBack, typed(removeOperation(options), options)),
      names: () => orphans.map(({ source, place, kind, name }) => `${source}/${place}/${kind}/${name}`),
    });
    if (isIncomplete(found.blind, mayComeBack)) process.exitCode = exitCodes.notReady;
  } finally {
    await Promise.all(networks.map((network) => network.close()));
    lasting.close();
  }
}

const withVerdict = ({ findings }: Survey, wanted: Verdict): readonly Finding[] =>
  findings.filter(({ verdict }) => verdict === wanted);

/** The named sources; all but the nodes' own daemons unless given. Throws `usage` for an unknown name. */
export async function sourcesOf(told: readonly string[] | undefined): Promise<readonly Source[]> {
  const [{ sources }, { FabricError }] = await Promise.all([
    import("../../core/orphans/judgement/finding.ts"),
    import("../../core/error.ts"),
  ]);
  if (told === undefined) return sources.filter((source) => source !== "host-docker");
  return told.map((name) => {
    const source = sources.find((one) => one === name);
    if (source) return source;
    throw new FabricError("usage", `expected --source to name ${sources.join(", ")}, found ${name}`);
  });
}

interface ScheduleOptions extends Pick<CleanupOptions, "dryRun" | "timeout" | "olderThan" | "org" | "source"> {
  readonly cron: string;
  readonly image?: string;
}

const day = 86_400; // seconds

/** The cleanup that each CronJob runs. Which organizations get a CronJob is asked separately. */
export function scheduleRequest(options: ScheduleOptions, sources: readonly Source[]): Schedule {
  return {
    cron: options.cron,
    olderThan: options.olderThan ?? day,
    sources,
    image: options.image ?? `docker.io/kubectlfabric/plugin:${version}`,
  };
}

/** The named sources; Docker in the peers' Pods, and services, unless given. Throws `usage` for a source that no schedule may look at. */
export async function scheduledSources(told: readonly string[] | undefined): Promise<readonly Source[]> {
  const [{ schedulable }, { FabricError }] = await Promise.all([
    import("../../core/orphans/schedule.ts"),
    import("../../core/error.ts"),
  ]);
  const wanted = await sourcesOf(told ?? ["dind", "service"]);
  const unfit = wanted.find((source) => !schedulable.includes(source));
  if (unfit === undefined) return wanted;
  throw new FabricError("usage", `expected --source to name ${schedulable.join(", ")}, found ${unfit}`);
}

function scheduleCommand(group: Command, terminal: Terminal): void {
  const command = group
    .command("schedule")
    .summary("have the cluster itself clean up, by a CronJob for each organization")
    .description(
      "Makes a CronJob in the namespace of each peer organization, with a ServiceAccount that may read that\n" +
        "organization's administrator and remove what is left over there, nothing else. Its image is this plugin's:\n" +
        "docker build -f plugin/Dockerfile. --dry-run -o yaml prints the manifests.",
    )
    .option("--cron <schedule>", "when, in a CronJob's words", cronSchedule, "17 3 * * *")
    .option("--older-than <time>", "only what is at least so old (default: 1d)", age)
    .option("--org <names>", "only these organizations", list)
    .option("--source <names>", "dind, service, builder-k8s (default: dind,service)", list)
    .option("--image <image>", "the plugin's image (default: docker.io/kubectlfabric/plugin:VERSION)")
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric cleanup schedule
  kubectl fabric cleanup schedule --cron "0 * * * *" --older-than 12h --org org1
  kubectl fabric cleanup schedule --dry-run -o yaml`,
    );
  planOptions(command, "2m").action(async () => {
    const options = optionsOf<ScheduleOptions>(command);
    const [{ openNetwork }, { scheduleObjects, scheduleSteps }, { printResult }] = await Promise.all([
      import("./connect.ts"),
      import("../../core/orphans/schedule.ts"),
      import("../terminal/output.ts"),
    ]);
    const schedule = scheduleRequest(options, await scheduledSources(options.source));
    const network = await openNetwork(options, terminal);
    try {
      const { cluster, definition } = network;
      const organizations = await chosenOrganizations(definition.spec.peerOrganizations, options.org);
      const report = await runPlans(terminal, options, [
        { title: "cleanup schedule", steps: () => scheduleSteps(cluster, definition, organizations, schedule) },
      ]);
      const items = organizations.flatMap((organization) => scheduleObjects(definition, organization, schedule));
      await printResult(terminal, options.output, {
        data: { apiVersion: "v1", kind: "List", items },
        table: () =>
          conclusion(report, "kubectl get cronjobs -A -l app.kubernetes.io/component=cleanup-schedule", options),
        names: () => organizations.map(({ namespace }) => `${namespace}/fabric-cleanup`),
      });
    } finally {
      await network.close();
    }
  });
}

function unscheduleCommand(group: Command, terminal: Terminal): void {
  const command = group
    .command("unschedule")
    .summary("remove the CronJobs and their rights")
    .description("Removes what `cleanup schedule` made. Orphans stay where they are.")
    .option("--org <names>", "only these organizations", list)
    .addHelpText("after", "\nExamples:\n  kubectl fabric cleanup unschedule");
  planOptions(command, "2m").action(async () => {
    const options = optionsOf<PlanOptions & Pick<CleanupOptions, "org">>(command);
    const [{ openNetwork }, { unscheduleSteps }, { printResult }] = await Promise.all([
      import("./connect.ts"),
      import("../../core/orphans/schedule.ts"),
      import("../terminal/output.ts"),
    ]);
    const network = await openNetwork(options, terminal);
    try {
      const { cluster, definition } = network;
      const organizations = await chosenOrganizations(definition.spec.peerOrganizations, options.org);
      const report = await runPlans(terminal, options, [
        { title: "cleanup schedule", consent: true, steps: () => unscheduleSteps(cluster, organizations) },
      ]);
      await printResult(terminal, options.output, {
        data: report,
        table: () => conclusion(report, undefined),
        names: () => report.steps.map(({ id }) => id),
      });
    } finally {
      await network.close();
    }
  });
}

async function chosenOrganizations<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[] | undefined,
): Promise<readonly T[]> {
  const unknown = names?.find((name) => !all.some((organization) => organization.name === name));
  if (unknown === undefined) return names ? all.filter(({ name }) => names.includes(name)) : all;
  const { FabricError } = await import("../../core/error.ts");
  const known = all.map(({ name }) => name).join(", ");
  throw new FabricError("usage", `expected peer organizations of the network (${known}), found ${unknown}`);
}
