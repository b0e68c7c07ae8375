// The oldest Node that package.json promises (engines), and what is run on it.
import { globSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { runProgram, type Lifetime } from "../build/lifetime.ts";
import { FabricError } from "../core/error.ts";
import type { Selection } from "./vitest-run.ts";

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

/** The unit tests on Node 24, once the built plugin has shown that it starts there; all, or only those of what depends on Node itself. */
export async function onNode24(lifetime: Lifetime, { isQuick }: { readonly isQuick: boolean }): Promise<Selection> {
  const gone = quick.filter((path) => !tests.some((file) => file.includes(path)));
  if (gone.length > 0) throw new FabricError("internal", `expected tests in ${gone.join(", ")}, found none`);
  const node = await findNode24(lifetime);
  for (const option of ["--version", "--help"]) await run(lifetime, [node, "dist/kubectl-fabric.js", option]);
  const env = { PATH: [dirname(node), process.env["PATH"]].join(delimiter) };
  return { project: "unit", args: isQuick ? quick : [], node, env };
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
