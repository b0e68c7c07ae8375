// All tests on the project's own emulator of Fabric, in an order that keeps a mistake cheap and two processors busy.
import type { Command } from "commander";
import { build } from "../build.ts";
import type { Lifetime } from "../lifetime.ts";
import { runScript, scriptCommand } from "../script.ts";
import { requireFreshSandbox } from "./fresh-cluster.ts";
import { runProjects, runSideBySide, type Selection } from "./vitest-run.ts";

const examples = `
Unit and integration tests first: what fails in one ends it. Then the end-to-end tests; those that are alone on the cluster wait more than
they work, and the contract suite, which needs no cluster, runs beside them. On Linux, as root; takes 30 minutes on two processors, and 15
more the first time, when Kubernetes is built.

Examples:
  npm test                 all of it, after lint
  npm run test:unit        one part: test:integration, test:contract, test:e2e`;

const project = (name: string): Selection => ({ project: name, args: [] });

function testCommand(lifetime: Lifetime): Command {
  const { signal } = lifetime;
  return scriptCommand("npm test --")
    .description("All tests, on the emulator and in the sandbox.")
    .addHelpText("after", examples)
    .action(async () => {
      // Set to undefined, a variable that somebody has set is none.
      const env = { ...process.env, FABRIC_HOME: "", E2E_CONTEXT: undefined };
      for (const name of ["unit", "integration"]) {
        process.exitCode = await runProjects([project(name)], env, signal);
        if (process.exitCode !== 0) return;
      }
      await requireFreshSandbox();
      await build(lifetime);
      const shared = await runProjects([project("e2e")], env, signal);
      const alone = await runSideBySide([project("e2e-alone"), project("contract")], env, signal);
      process.exitCode = shared || alone;
    });
}

await runScript({
  command: testCommand,
  leftovers: () => "npm run sandbox -- down removes the cluster that may have been left.",
});
