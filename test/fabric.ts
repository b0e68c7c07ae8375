// What the tests say of the emulator, said of real Fabric: every release that is found, or the newest one.
import { parseArgs } from "node:util";
import { FabricError, messageOf } from "../plugin/error.ts";
import { defaultReleases, findReleases, type FabricRelease } from "./sandbox/fabric-release.ts";
import { runVitest } from "./vitest-run.ts";

const usage = `Usage: npm run test:fabric -- [--newest] [--if-any]

Runs the contract suite, the plugin's Fabric library and the end-to-end tests of networks on real peers and orderers:
the releases (bin/ config/ builders/) that FABRIC_HOME names (several with :), else those below ${defaultReleases},
the newest of each line. Without one it fails.

  --newest  only on the newest release
  --if-any  without a release say so, and end with 0

Takes 17 minutes a release on two processors.

Example: FABRIC_HOME=~/fabric-3.1.5 npm run test:fabric`;

/** Tests that say something of peers and orderers, by project. */
const suites: readonly (readonly [project: string, ...files: readonly string[]])[] = [
  ["integration", "test/integration/plugin/fabric/", "test/integration/emulator/fabric-cli"],
  ["contract"],
  ["e2e", ...["network", "lifecycle", "seed", "runtimes", "runner"].map((name) => `test/e2e/${name}`)],
  ["e2e-alone", "test/e2e/alone/cleanup"],
];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      newest: { type: "boolean", default: false },
      "if-any": { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const found = await findReleases();
  const releases = values.newest ? found.slice(-1) : found;
  console.log(`real Fabric: ${releases.map(({ version }) => version).join(", ") || "NOT RUN"}`);
  if (releases.length > 0) return runOn(releases);
  if (values["if-any"]) return 0;
  throw new FabricError("not-found", "expected a release of Fabric, found none", {
    hint: `unpack one below ${defaultReleases}, or name it in FABRIC_HOME`,
  });
}

async function runOn(releases: readonly FabricRelease[]): Promise<number> {
  const env = {
    ...process.env,
    FABRIC_HOME: releases.map(({ home }) => home).join(":"),
    FABRIC_ONLY: "1",
  };
  let worst = 0;
  for (const [project, ...files] of suites) {
    const code = await runVitest(project, files, env);
    if (code === 130) return code;
    worst ||= code;
  }
  return worst;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`error: ${messageOf(error)}`);
  if (error instanceof FabricError && error.hint !== undefined) console.error(`hint: ${error.hint}`);
  process.exitCode = error instanceof FabricError ? 1 : 2;
}
