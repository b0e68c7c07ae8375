// What package.json promises (engines) on the oldest Node it promises it of; all other tests run on the current one.
import type { Command } from "commander";
import { build } from "../build/main.ts";
import type { Lifetime } from "../build/lifetime.ts";
import { runScript, scriptCommand } from "../build/script.ts";
import { onNode24 } from "./on-node24.ts";
import { runProjects } from "./vitest-run.ts";

const examples = `
Node 24 is npm's package "node", which npm keeps in its cache: the first time it is downloaded (40 MB). Takes two minutes on two
processors; with --quick 20 seconds.

Examples:
  npm run test:node24
  npm run test:node24 -- --quick`;

function node24Command(lifetime: Lifetime): Command {
  return scriptCommand("npm run test:node24 --")
    .description("The unit tests, and the built plugin, on Node 24.")
    .option("--quick", "only the tests of what depends on Node itself")
    .addHelpText("after", examples)
    .action(async (options: { readonly quick?: true }) => {
      await build(lifetime);
      const selection = await onNode24(lifetime, { isQuick: options.quick === true });
      process.exitCode = await runProjects([selection], process.env, lifetime.signal);
    });
}

await runScript({
  command: node24Command,
  leftovers: () => "dist/ may be unfinished: npm run build makes it anew.",
});
