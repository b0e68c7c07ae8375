// What the tests say of the emulator, said of real Fabric: every release that is found, or the newest one.
import type { Command } from "commander";
import { build } from "../build/main.ts";
import type { Lifetime } from "../build/lifetime.ts";
import { FabricError } from "../core/error.ts";
import { runScript, scriptCommand } from "../build/script.ts";
import { requireFreshSandbox } from "./fresh-cluster.ts";
import { defaultReleases, findReleases } from "./sandbox/fabric-release.ts";
import { runProjects, type Selection } from "./vitest-run.ts";

const examples = `
The releases (bin/ config/ builders/) are those that FABRIC_HOME names (several with ":"), else those in ${defaultReleases},
the newest of each line; with FABRIC_HOME set and empty there are none. On Linux, as root; takes 27 minutes a release on two
processors, and 15 more the first time, when Kubernetes is built.

Examples:
  npm run test:fabric                              on each release that is there
  npm run test:fabric -- --newest                  on the newest one
  FABRIC_HOME=~/fabric-3.1.5 npm run test:fabric   on this one`;

/** Tests that say something of peers and orderers. */
const suites: readonly Selection[] = [
  { project: "integration", args: ["test/integration/core/fabric/", "test/integration/emulator/fabric-cli"] },
  { project: "contract", args: [] },
  {
    project: "e2e",
    args: ["network", "restart", "lifecycle", "seed", "runtimes", "runner"].map((name) => `test/e2e/${name}`),
  },
  { project: "e2e-hour", args: [] },
  { project: "e2e-alone", args: ["test/e2e/alone/cleanup"] },
];

interface FabricOptions {
  readonly newest?: true;
  readonly ifAny?: true;
}

function fabricCommand(lifetime: Lifetime): Command {
  const { signal } = lifetime;
  return scriptCommand("npm run test:fabric --")
    .description(
      "The contract suite, the plugin's Fabric library and the end-to-end tests of networks on real peers and orderers.",
    )
    .option("--newest", "only on the newest release")
    .option("--if-any", "without a release say so, and end with 0 (else it fails)")
    .addHelpText("after", examples)
    .action(async ({ newest, ifAny }: FabricOptions) => {
      const found = await findReleases();
      const releases = newest ? found.slice(-1) : found;
      console.log(`real Fabric: ${releases.map(({ version }) => version).join(", ") || "NOT RUN"}`);
      if (releases.length > 0) {
        await requireFreshSandbox();
        await build(lifetime);
        const FABRIC_HOME = releases.map(({ home }) => home).join(":");
        process.exitCode = await runProjects(suites, { ...process.env, FABRIC_HOME, FABRIC_ONLY: "1" }, signal);
      } else if (!ifAny) {
        throw new FabricError("not-found", "expected a release of Fabric, found none", {
          hint: `unpack one below ${defaultReleases}, or name it in FABRIC_HOME`,
        });
      }
    });
}

await runScript({
  command: fabricCommand,
  leftovers: () => "npm run sandbox -- down removes the cluster that may have been left.",
});
