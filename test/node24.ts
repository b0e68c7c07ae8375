// What package.json promises (engines) on the oldest Node it promises it of; all other tests run on the current one.
import { globSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import type { Command } from "commander";
import { build } from "../build/main.ts";
import { runProgram, type Lifetime } from "../build/lifetime.ts";
import { FabricError } from "../core/error.ts";
import { runScript, scriptCommand } from "../build/script.ts";
import { runProjects } from "./vitest-run.ts";

const examples = `
Node 24 is npm's package "node", which npm keeps in its cache: the first time it is downloaded (40 MB). Takes two minutes on two
processors; with --quick 20 seconds.

Examples:
  npm run test:node24
  npm run test:node24 -- --quick`;

/** What depends on Node itself: streams, TLS, child processes, and the built programs. */
const quick = [
  "krew",
  "core/kubernetes/",
  "core/docker/",
  "core/fabric/identity/",
  "plugin/node-version",
  "runner/",
  "scripts/lifetime",
  "webhook/certificates",
].map((path) => `test/unit/${path}`);
const tests = globSync("test/unit/**/*.test.ts", { cwd: join(import.meta.dirname, "..") });

function node24Command(lifetime: Lifetime): Command {
  return scriptCommand("npm run test:node24 --")
    .description("The unit tests, and the built plugin, on Node 24.")
    .option("--quick", "only the tests of what depends on Node itself")
    .addHelpText("after", examples)
    .action(async (options: { readonly quick?: true }) => {
      const node = await findNode24(lifetime);
      await build(lifetime);
      for (const option of ["--version", "--help"]) await run(lifetime, [node, "dist/kubectl-fabric.js", option]);
      const env = { ...process.env, PATH: [dirname(node), process.env["PATH"]].join(delimiter) };
      const gone = quick.filter((path) => !tests.some((file) => file.includes(path)));
      if (gone.length > 0) throw new FabricError("internal", `expected tests in ${gone.join(", ")}, found none`);
      const selection = { project: "unit", args: options.quick ? quick : [], node };
      process.exitCode = await runProjects([selection], env, lifetime.signal);
    });
}

/** Gives the path of its program. As a dependency it would have the same name in node_modules/.bin as the Node that all else runs on. */
async function findNode24(lifetime: Lifetime): Promise<string> {
  const argv = ["npm", "exec", "--yes", "--package=node@24", "--", "node", "--print", "process.execPath"];
  const node = (await run(lifetime, argv)).trim();
  const version = (await run(lifetime, [node, "--version"])).trim();
  if (!version.startsWith("v24.")) throw new FabricError("internal", `expected Node 24, found ${version}`);
  console.log(`Node ${version} (${node})`);
  return node;
}

const run = (lifetime: Lifetime, argv: readonly string[]): Promise<string> =>
  runProgram(lifetime, argv, { stdio: ["ignore", "pipe", "inherit"] });

await runScript({
  command: node24Command,
  leftovers: () => "dist/ may be unfinished: npm run build makes it anew.",
});
