import { givenByUser } from "../../core/error.ts";
import { kubernetesVersion } from "./arguments.ts";
import { expectFormat, optionsOf, type CommandDefinition } from "./command.ts";

interface InjectOptions {
  readonly file: string;
  readonly diff: boolean;
  readonly path?: string;
  readonly settings?: string;
  readonly kubernetesVersion?: string;
}

export const inject: CommandDefinition = (program, terminal) => {
  const command = program
    .command("inject")
    .summary("inject a manifest, as the webhook would")
    .description(
      "Reads manifests and writes them with Docker injected into every Pod template that carries the annotation\n" +
        "kubectl-fabric.io/inject: the webhook's own function, without a webhook and without a cluster, for GitOps.\n" +
        "Documents without such a template stay byte for byte as they are. `kubectl fabric eject -f` is the way back.",
    )
    .requiredOption("-f, --file <file>", "a manifest (YAML, one or more documents, or JSON); - for standard input")
    .option("--diff", "print what would change instead of the manifest; ends with 3 when nothing would", false)
    .option("--path <path>", "of Pod templates in a custom resource, such as 'spec.peers[*].template'")
    .option(
      "--settings <file>",
      "the operator's settings, or the ConfigMap with them (default: the webhook's defaults)",
    )
    .option(
      "--kubernetes-version <version>",
      "of the oldest node: below 1.29 there are no native sidecars",
      kubernetesVersion,
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric inject -f peer.yaml --diff
  kubectl fabric inject -f peer.yaml > injected.yaml
  helm template my-peer ./chart | kubectl fabric inject -f - | kubectl apply -f -
  kustomize build . | kubectl fabric inject -f - | kubectl apply -f -
  kubectl -n kubectl-fabric-system get configmap kubectl-fabric-webhook -o yaml > settings.yaml
  kubectl fabric inject -f peer.yaml --settings settings.yaml --kubernetes-version 1.28

As a post-renderer of Helm: docs/injection.md. The manifest goes to standard output, what happened to each template to standard error. ` +
        // One paragraph: where it breaks is the terminal's.
        "-o json prints the objects, -o name the names of what was injected.",
    );
  command.action(async () => {
    const options = optionsOf<InjectOptions>(command);
    if (options.diff) expectFormat(command, ["table"], " --diff");
    const [
      { injectManifest },
      { readNamed },
      { settingsOf },
      { templatePath },
      { printEdited },
      { parseVersion },
      { version },
      { exitCodes },
    ] = await Promise.all([
      import("../../core/injection/manifest/offline.ts"),
      import("../../core/injection/manifest/manifest-file.ts"),
      import("../../core/injection/manifest/settings-source.ts"),
      import("../../core/injection/manifest/template-path.ts"),
      import("./edited-manifest.ts"),
      import("../../core/injection/version.ts"),
      import("../../core/process/version.ts"),
      import("../terminal/failure.ts"),
    ]);
    const manifest = await readNamed(options.file, terminal.stdin);
    const given = options.settings === undefined ? undefined : await readNamed(options.settings, terminal.stdin);
    const oldest = options.kubernetesVersion === undefined ? undefined : parseVersion(options.kubernetesVersion);
    const edited = givenByUser(() =>
      injectManifest(manifest.text, manifest.source, {
        settings: settingsOf(given?.text, given?.source ?? ""),
        cluster: { apiServer: oldest, oldestKubelet: oldest },
        version,
        templates: options.path === undefined ? undefined : templatePath(options.path),
      }),
    );
    await printEdited(terminal, options, manifest, edited);
    if (options.diff && !edited.changed) process.exitCode = exitCodes.notReady;
  });
};
