// All tests on the project's own emulator of Fabric, in an order that keeps a mistake cheap and two processors busy.
import { globSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { build } from "../build/main.ts";
import type { Lifetime } from "../build/lifetime.ts";
import { runScript, scriptCommand } from "../build/script.ts";
import { requireFreshSandbox } from "./fresh-cluster.ts";
import { onNode24 } from "./on-node24.ts";
import { runProjects, runSideBySide } from "./vitest-run.ts";

const examples = `
Unit and integration tests first: what fails in one ends it. Then the end-to-end tests; of those that are alone on the cluster all but
one wait more than they work, and the contract suite, which needs no cluster, runs beside them, and then what depends on Node itself, on
the oldest that is promised. On Linux, as root; takes 25 minutes on
two processors, and 15 more the first time, when Kubernetes is built.

Examples:
  npm test                 all of it, after lint
  npm run test:unit        one part: test:integration, test:contract, test:e2e`;

const root = join(import.meta.dirname, "..");
/** Works all the time, as contract does. */
const busy = "test/e2e/alone/cleanup.test.ts";

function testCommand(lifetime: Lifetime): Command {
  const { signal } = lifetime;
  return scriptCommand("npm test --")
    .description("All tests, on the emulator and in the sandbox.")
    .addHelpText("after", examples)
    .action(async () => {
      await requireFreshSandbox();
      // Set to undefined, a variable that somebody has set is none.
      const env = { ...process.env, FABRIC_HOME: "", E2E_CONTEXT: undefined };
      for (const project of ["unit", "integration"]) {
        process.exitCode = await runProjects([{ project, args: [] }], env, signal);
        if (process.exitCode !== 0) return;
      }
      await build(lifetime);
      const node24 = await onNode24(lifetime, { isQuick: true });
      const alone = globSync("test/e2e/alone/*.test.ts", { cwd: root });
      const quiet = alone.filter((file) => file !== busy);
      const codes = [
        await runProjects([{ project: "e2e", args: [] }], env, signal),
        await runSideBySide(
          [[{ project: "e2e-alone", args: quiet }], [{ project: "contract", args: [] }, node24]],
          env,
          signal,
        ),
        await runProjects([{ project: "e2e-alone", args: [busy] }], env, signal),
      ];
      process.exitCode = codes.find((code) => code !== 0) ?? 0;
    });
}

await runScript({
  command: testCommand,
  leftovers: () => "npm run sandbox -- down removes the cluster that may have been left.",
});
