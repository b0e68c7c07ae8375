import { FabricError, givenByUser } from "../../core/error.ts";
import { expectFormat, optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { conclusion, planOptions, runPlans } from "./plan-run.ts";

interface EjectOptions extends PlanOptions {
  readonly file?: string;
  readonly diff: boolean;
  readonly path?: string;
  readonly namespace?: string;
  readonly yes: boolean;
}

export const eject: CommandDefinition = (program, terminal) => {
  const command = program
    .command("eject")
    .summary("undo an injection")
    .description(
      "With -f: reads manifests that `kubectl fabric inject` wrote and writes them as they were before.\n" +
        "With workloads: takes the annotation off their Pod templates, so that their Pods start without the sidecar.",
    )
    .argument("[workload...]", "deployment/NAME, statefulset/NAME, daemonset/NAME or cronjob/NAME")
    .option("-f, --file <file>", "a manifest instead; - for standard input")
    .option("--diff", "with -f: print what would change instead; ends with 3 when nothing would", false)
    .option("--path <path>", "with -f: of Pod templates in a custom resource, as for inject")
    .option("-n, --namespace <name>", "of the workloads (default: the context's)")
    .option("-y, --yes", "do not ask, where a workload is a peer that `kubectl fabric init` made", false)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric eject -f injected.yaml > peer.yaml
  kubectl fabric eject statefulset/peer0 -n my-org
  kubectl fabric eject deployment/peer0 deployment/peer1 -n my-org --dry-run`,
    );
  planOptions(command, "1m").action(async (workloads: readonly string[]) => {
    const options = optionsOf<EjectOptions>(command);
    if ((options.file === undefined) === (workloads.length === 0)) {
      throw new FabricError("usage", "expected either -f FILE or workloads", {
        hint: { operation: "eject", of: "deployment/my-peer", with: { namespace: "my-org" } },
      });
    }
    if (options.diff && options.file === undefined) {
      throw new FabricError("usage", "expected -f FILE with --diff, found workloads", {
        hint: "--dry-run shows what would change in a workload",
      });
    }
    if (options.path !== undefined && options.file === undefined) {
      throw new FabricError("usage", "expected -f FILE with --path, found workloads");
    }
    if (options.diff) expectFormat(command, ["table"], " --diff");
    if (options.file !== undefined) return ejectFile(options.file, options);
    const [{ connect }, { ejectedStep, workloadRef }, { ownPeers }, { printResult }, { confirm }] = await Promise.all([
      import("./connect.ts"),
      import("../../core/injection/manifest/live.ts"),
      import("../../core/network/workload/own-peers.ts"),
      import("../terminal/output.ts"),
      import("../terminal/confirm.ts"),
    ]);
    const refs = workloads.map((workload) => workloadRef(workload, options.namespace));
    const cluster = await connect(options, terminal);
    const [own] = options.yes || options.dryRun ? [] : await ownPeers(cluster, refs, terminal.signal);
    if (own) {
      const question =
        `${own.host} is a peer of network ${own.network}: without its daemon it does not become ready and runs no chaincode. ` +
        "kubectl fabric init gives it back.";
      await confirm(terminal, question, own.host);
    }
    const report = await runPlans(terminal, options, [
      { title: "eject", steps: () => refs.map((ref) => ejectedStep(cluster, ref)) },
    ]);
    await printResult(terminal, options.output, {
      data: report,
      table: () => conclusion(report, undefined),
      names: () => refs.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`),
    });
  });

  async function ejectFile(file: string, options: ReturnType<typeof optionsOf<EjectOptions>>): Promise<void> {
    const [{ ejectManifest }, { readNamed }, { templatePath }, { printEdited }, { exitCodes }] = await Promise.all([
      import("../../core/injection/manifest/offline.ts"),
      import("../../core/injection/manifest/manifest-file.ts"),
      import("../../core/injection/manifest/template-path.ts"),
      import("./edited-manifest.ts"),
      import("../terminal/failure.ts"),
    ]);
    const manifest = await readNamed(file, terminal.stdin);
    const templates = options.path === undefined ? undefined : templatePath(options.path);
    const edited = givenByUser(() => ejectManifest(manifest.text, manifest.source, templates));
    await printEdited(terminal, options, manifest, edited);
    if (options.diff && !edited.changed) process.exitCode = exitCodes.notReady;
  }
};
