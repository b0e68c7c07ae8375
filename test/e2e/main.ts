// End-to-end tests: on a sandbox that they bring up, or on a cluster that is there.
import type { Command } from "commander";
import type { Lifetime } from "../../lifetime.ts";
import { FabricError } from "../../plugin/error.ts";
import { runScript, scriptCommand } from "../../script.ts";
import { requireFreshCluster } from "../fresh-cluster.ts";
import { run } from "../sandbox/command.ts";
import { runProjects } from "../vitest-run.ts";

const examples = `
Each file has namespaces of its own; test/e2e/alone/ also takes the webhook away for a while, and runs at the end.
On a cluster of yours, what needs to look into the node or to stop the API server is left out, and said; neither our webhook
nor a network may be there, for they would be removed. Takes 20 minutes on two processors.

Examples:
  npm run test:e2e                                        on a sandbox
  npm run test:e2e -- lifecycle -t rollback               only tests with such a name, in files with such a name
  npm run test:e2e -- --context kind-kind test/e2e/network`;

interface E2eOptions {
  readonly context?: string;
  readonly fabricVersion?: string;
  readonly loadImage?: string;
  readonly testNamePattern?: string;
}

function e2eCommand({ signal }: Lifetime): Command {
  return scriptCommand("npm run test:e2e --")
    .description("The built program on a cluster: end-to-end tests.")
    .argument("[files...]", "only files whose path holds one of these")
    .option("--context <name>", "on this cluster of your kubeconfig, with public images, instead of a sandbox")
    .option("--fabric-version <tag>", "of Fabric's images on that cluster (default: 3.1)")
    .option("--load-image <file>", "archive of fabric-nodeenv, for daemons on that cluster that reach no registry")
    .option("-t, --test-name-pattern <pattern>", "only tests whose name matches")
    .addHelpText("after", examples)
    .action(async (files: readonly string[], options: E2eOptions) => {
      const { context, fabricVersion, loadImage, testNamePattern } = options;
      if (context === undefined && (fabricVersion ?? loadImage) !== undefined) {
        throw new FabricError("usage", "expected --context with --fabric-version or --load-image, found none", {
          hint: "a sandbox has the images of FABRIC_HOME, and loads its own",
        });
      }
      if (context !== undefined) {
        await requireFreshCluster((args) => run("kubectl", ["--context", context, ...args], { signal }));
      }
      const env = {
        ...process.env,
        ...(context !== undefined && { E2E_CONTEXT: context }),
        ...(fabricVersion !== undefined && { E2E_FABRIC_VERSION: fabricVersion }),
        ...(loadImage !== undefined && { E2E_LOAD_IMAGE: loadImage }),
      };
      const args = [
        ...(files.length > 0 ? ["--passWithNoTests", ...files] : []),
        ...(context === undefined ? [] : ["--exclude", "test/e2e/sandbox.test.ts"]),
        ...(testNamePattern === undefined ? [] : ["-t", testNamePattern]),
      ];
      const projects = ["e2e", "e2e-alone"].map((project) => ({ project, args }));
      process.exitCode = await runProjects(projects, env, signal);
    });
}

await runScript({
  command: e2eCommand,
  leftovers: () => "npm run sandbox -- down removes the cluster that may have been left.",
});
