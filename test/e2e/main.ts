// End-to-end tests: on a sandbox that they bring up, or on a cluster that is there.
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { build } from "../../build/main.ts";
import type { Lifetime } from "../../build/lifetime.ts";
import { FabricError } from "../../core/error.ts";
import { runScript, scriptCommand } from "../../build/script.ts";
import { requireFreshCluster, requireFreshSandbox } from "../fresh-cluster.ts";
import { runProjects } from "../vitest-run.ts";

const examples = `
Each file has namespaces of its own; test/e2e/alone/ also takes the webhook away for a while, and runs at the end.
On a cluster of yours, what needs to look into the node or to stop the API server is left out (the tests say so); neither our webhook
nor a network may be there, for they would be removed. Takes 20 minutes on two processors. test/e2e/hour/ is run when it is named
(10 minutes; npm run test:fabric runs it on real Fabric).

Examples:
  npm run test:e2e                                        on a sandbox
  npm run test:e2e -- lifecycle -t rollback               only tests with such a name, in files with such a name
  npm run test:e2e -- --context kind-kind test/e2e/network`;

const root = join(import.meta.dirname, "../..");

interface E2eOptions {
  readonly context?: string;
  readonly fabricVersion?: string;
  readonly loadImage?: string;
  readonly testNamePattern?: string;
}

function e2eCommand(lifetime: Lifetime): Command {
  const { signal } = lifetime;
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
          hint: "a sandbox has its own; for a release of Fabric: npm run test:fabric -- --help",
        });
      }
      if (context === "")
        throw new FabricError("usage", "expected a name after --context, found none", { hint: "add --help" });
      const known = globSync("test/e2e/**/*.test.ts", { cwd: root });
      const strange = files.find((file) => !known.some((path) => path.includes(file)));
      if (strange !== undefined) {
        throw new FabricError("usage", `expected a part of a path in test/e2e, found ${strange}`, {
          hint: `one of ${known.toSorted().join(" ")}; add --help`,
        });
      }
      await (context === undefined ? requireFreshSandbox() : requireFreshCluster(context, signal));
      await build(lifetime);
      // Set to undefined, a variable that somebody has set is none.
      const env = {
        ...process.env,
        E2E_CONTEXT: context,
        E2E_FABRIC_VERSION: fabricVersion,
        E2E_LOAD_IMAGE: loadImage,
      };
      const args = [
        ...files,
        ...(context === undefined ? [] : ["--exclude", "test/e2e/sandbox.test.ts"]),
        ...(testNamePattern === undefined ? [] : ["-t", testNamePattern]),
      ];
      // The hour is for real Fabric (test/fabric.ts): here it is run by who asks for it.
      const chosen =
        files.length === 0
          ? known.filter((path) => projectOf(path) !== "e2e-hour")
          : known.filter((path) => files.some((file) => path.includes(file)));
      const projects = ["e2e", "e2e-hour", "e2e-alone"].filter((name) =>
        chosen.some((path) => projectOf(path) === name),
      );
      process.exitCode = await runProjects(
        projects.map((project) => ({ project, args })),
        env,
        signal,
      );
    });
}

/** As vitest.config.ts has it. */
function projectOf(path: string): string {
  const folder = basename(dirname(path));
  return folder === "e2e" ? folder : `e2e-${folder}`;
}

await runScript({
  command: e2eCommand,
  leftovers: () => "npm run sandbox -- down removes the cluster that may have been left.",
});
