import type { WebhookRequest } from "../../core/installation/webhook.ts";
import { positiveInteger } from "./arguments.ts";
import { optionsOf, type CommandDefinition, type PlanOptions } from "./command.ts";
import { typed } from "../terminal/remedy.ts";
import { conclusion, lastLook, planOptions, runPlans } from "./plan-run.ts";

interface InstallOptions extends PlanOptions {
  readonly image?: string;
  readonly replicas?: number;
  readonly policy?: boolean;
}

/** `policy` stays undefined unless given: an installed policy is then kept. */
export function webhookRequest({ image, replicas, policy }: InstallOptions): WebhookRequest {
  return { image, replicas, policy };
}

export const webhook: CommandDefinition = (program, terminal) => {
  const group = program
    .command("webhook")
    .summary("install, look at or remove the webhook that injects Docker into peers")
    .description("The mutating admission webhook that gives annotated peer Pods a Docker daemon of their own.")
    .helpCommand(false);

  const install = group
    .command("install")
    .summary("install the webhook, or bring it up to date")
    .description(
      "Installs the webhook into the namespace kubectl-fabric-system and waits until it answers. Needs cluster rights.",
    )
    .option("--image <image>", "instead of the image of this version")
    .option("--replicas <count>", "Pods of the webhook (default: 2)", positiveInteger)
    .option(
      "--policy",
      "have the API server check Pods, too: Pod Security baseline in namespaces that opted in, save for the\n" +
        "daemon as it is injected (Kubernetes 1.30; docs/security.md). Kept up to date once it is there",
    )
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric webhook install
  kubectl fabric webhook install --dry-run
  kubectl fabric webhook install --policy
  kubectl apply -k manifests/base                the same without this plugin
  kubectl apply -k manifests/overlays/policy     with the policy`,
    );
  planOptions(install, "5m").action(async () => {
    const options = optionsOf<InstallOptions>(install);
    const request = webhookRequest(options);
    const [{ connect }, { checkPolicyServed, hasPolicy, webhookInstallSteps }, { printResult }, { afterWebhook }] =
      await Promise.all([
        import("./connect.ts"),
        import("../../core/installation/webhook.ts"),
        import("../terminal/output.ts"),
        import("./next-command.ts"),
      ]);
    const cluster = await connect(options, terminal);
    if (request.policy) await checkPolicyServed(cluster, terminal.signal);
    const report = await runPlans(terminal, options, [
      {
        title: "webhook",
        steps: async (signal) =>
          webhookInstallSteps(cluster, { ...request, policy: request.policy ?? (await hasPolicy(cluster, signal)) }),
      },
    ]);
    const next = options.dryRun ? undefined : await lastLook(afterWebhook(cluster, terminal.signal), terminal.signal);
    await printResult(terminal, options.output, {
      data: report,
      table: () => conclusion(report, next, options),
      names: () => report.steps.map(({ id }) => id),
    });
  });

  const uninstall = group
    .command("uninstall")
    .summary("remove the webhook")
    .description(
      "Removes the webhook and its namespace, where no namespace asks for injection any more. Removes only what\n" +
        "`webhook install` or manifests/base have made, by their labels.",
    )
    .option("-y, --yes", "do not ask", false)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric webhook uninstall
  kubectl fabric webhook uninstall --dry-run`,
    );
  planOptions(uninstall, "5m").action(async () => {
    const options = optionsOf<PlanOptions & { readonly yes: boolean }>(uninstall);
    const [{ connect }, { installedObjects, webhookUninstallSteps }, { webhookObjects }, { printResult }, { confirm }] =
      await Promise.all([
        import("./connect.ts"),
        import("../../core/installation/webhook.ts"),
        import("../../core/injection/webhook-objects.ts"),
        import("../terminal/output.ts"),
        import("../terminal/confirm.ts"),
      ]);
    const cluster = await connect(options, terminal);
    const installed = await installedObjects(cluster, terminal.signal);
    if (installed.length > 0 && !options.yes && !options.dryRun) {
      const objects = installed.map(({ ref }) => `${ref.kind} ${ref.name}`).join(", ");
      await confirm(terminal, `This removes the webhook: ${objects}.`, webhookObjects.name);
    }
    const report = await runPlans(terminal, options, [
      { title: "webhook", consent: true, steps: () => webhookUninstallSteps(cluster, installed) },
    ]);
    await printResult(terminal, options.output, {
      data: report,
      table: () => conclusion(report, undefined),
      names: () => report.steps.map(({ id }) => id),
    });
  });

  const status = group
    .command("status")
    .summary("show whether the webhook can answer")
    .description(
      "Shows the webhook's Pods, who holds which of its certificates and for how long they last, and the namespaces it may\n" +
        "act in. Ends with 3 when it is not ready.",
    )
    .addHelpText("after", "\nExamples:\n  kubectl fabric webhook status\n  kubectl fabric webhook status -o json")
    .action(async () => {
      const options = optionsOf(status);
      const [{ connect }, { webhookStatus }, { printResult }, { table }, { exitCodes }] = await Promise.all([
        import("./connect.ts"),
        import("../../core/installation/webhook.ts"),
        import("../terminal/output.ts"),
        import("../terminal/table.ts"),
        import("../terminal/failure.ts"),
      ]);
      const cluster = await connect(options, terminal);
      const found = await webhookStatus(cluster, terminal.signal);
      await printResult(terminal, options.output, {
        data: found,
        table: (width) =>
          [
            table(
              ["ready", "image", "replicas", "trusted", "certificate", "namespaces"],
              [
                [
                  found.ready ? "yes" : "no",
                  found.image ?? "-",
                  `${found.replicas.ready}/${found.replicas.wanted}`,
                  found.trusted ? "yes" : "no",
                  found.certificateDaysLeft === undefined ? "?" : `${found.certificateDaysLeft} days`,
                  found.namespaces.join(",") || "-",
                ],
              ],
              width,
            ),
            found.installed || found.certificates.length > 0
              ? table(
                  ["certificate", "held by", "fingerprint", "authority", "days left", "problem"],
                  found.certificates.map(({ role, holder, fingerprint, authority, daysLeft, problem }) => [
                    role,
                    holder,
                    fingerprint ?? "-",
                    authority ?? "-",
                    daysLeft === undefined ? "-" : String(daysLeft),
                    problem ?? "",
                  ]),
                  width,
                )
              : `the webhook is not installed\nnext: ${typed({ operation: "webhook install" }, options)}\n`,
          ].join("\n"),
        names: () => found.namespaces,
      });
      if (!found.ready) process.exitCode = exitCodes.notReady;
    });
};
