// Bundles the programs into dist/: the webhook and the runner as one file each, the plugin as a small entry and chunks for its commands.
import { writeFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { bundlePlugin, bundleRunner, bundleWebhook } from "./bundle.ts";
import type { Lifetime } from "./lifetime.ts";
import { runScript, scriptCommand } from "./script.ts";

/** Makes dist/ anew. A build that is stopped or fails leaves no dist/, rather than a part of it. */
export async function build(lifetime: Lifetime): Promise<void> {
  const remove = (): Promise<void> => rm("dist", { recursive: true, force: true });
  let finished = false;
  await lifetime.begin(remove, async () => {
    if (!finished) await remove();
  });
  const [webhook] = await Promise.all([
    bundleWebhook("dist/webhook.cjs"),
    bundlePlugin("dist"),
    bundleRunner("dist/runner.cjs"),
  ]);
  await chmod("dist/kubectl-fabric.js", 0o755);
  // For `npm run sbom`: which packages the webhook's bundle has anything of.
  writeFileSync("dist/packages.json", JSON.stringify({ webhook }));
  finished = true;
}

if (import.meta.main) {
  await runScript({
    command: (lifetime) =>
      scriptCommand("npm run build --")
        .description(
          "Bundles the programs into dist/: the plugin, the webhook, the runner. About 5 seconds. dist/ is made anew each time.",
        )
        .addHelpText("after", "\nExample:\n  npm run build && node dist/kubectl-fabric.js --help")
        .action(() => build(lifetime)),
    leftovers: () => "dist/ may be unfinished: npm run build makes it anew.",
  });
}
