// Bundles the programs into dist/: the webhook and what starts it, the runner as one file, the plugin as a small entry and the chunks that its commands load.
import { readFileSync, writeFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { build as bundle, type BuildOptions } from "esbuild";
import { readManifests } from "../plugin/network/manifests.ts";
import { leanWebhook } from "../webhook/bundle.ts";
import { builtins } from "./builtins.ts";
import { leanClientNode } from "./lean-client-node.ts";
import { runProgram, type Lifetime } from "./lifetime.ts";
import { runScript, scriptCommand } from "./script.ts";

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

const options: BuildOptions = {
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  // Some dependencies are CommonJS and call require at run time.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  define: { __VERSION__: JSON.stringify(version), __MANIFESTS__: JSON.stringify(readManifests("manifests/base")) },
  // For keys in a hardware module, which fabric-gateway loads only when asked for one; native code cannot be bundled.
  external: ["pkcs11js"],
  legalComments: "external",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
};

const PROGRAM = "dist/webhook-program.cjs";

/** Node starts a CommonJS program without the loader of ECMAScript modules, and a V8 script is no module (webhook/compiled.ts). */
const commonJs: BuildOptions = { format: "cjs", banner: {}, plugins: [leanWebhook, leanClientNode] };

/** Makes dist/ anew. One that is stopped or fails leaves none, rather than half of one. */
export async function build(lifetime: Lifetime): Promise<void> {
  const remove = (): Promise<void> => rm("dist", { recursive: true, force: true });
  let finished = false;
  await lifetime.begin(remove, async () => {
    if (!finished) await remove();
  });
  const [, { metafile }] = await Promise.all([
    bundlePlugin("dist"),
    bundle({ ...options, ...commonJs, entryPoints: ["webhook/main.ts"], outfile: PROGRAM, metafile: true }),
    bundle({ ...options, ...commonJs, entryPoints: ["webhook/start.ts"], outfile: "dist/webhook.cjs" }),
    bundle({ ...options, ...commonJs, entryPoints: ["rehearsal.ts"], outfile: "dist/rehearsal.cjs" }),
    bundle({ ...options, plugins: [builtins], entryPoints: ["runner/main.ts"], outfile: "dist/runner.js" }),
  ]);
  await chmod("dist/kubectl-fabric.js", 0o755);
  // For an image with this very Node; a public image makes its own (webhook/Dockerfile).
  const rehearsal = [process.execPath, "dist/rehearsal.cjs", PROGRAM];
  await runProgram(lifetime, rehearsal, { stdio: ["ignore", "inherit", "inherit"] });
  // For `npm run sbom`: which packages the webhook's bundle has anything of.
  const inputs = Object.entries(metafile.outputs[PROGRAM]?.inputs ?? {});
  const webhook = packagesOf(inputs.flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])));
  writeFileSync("dist/packages.json", JSON.stringify({ webhook }));
  finished = true;
}

/** As one file the plugin would be 5.5 MB, and every `--help` would wait 150 ms for it to be parsed. */
export async function bundlePlugin(directory: string): Promise<void> {
  await bundle({
    ...options,
    plugins: [leanClientNode, builtins],
    entryPoints: [{ in: "plugin/main.ts", out: "kubectl-fabric" }],
    outdir: directory,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  });
}

/** Directories of packages, such as node_modules/express, that files of a bundle come from. */
export function packagesOf(files: readonly string[]): readonly string[] {
  const directories = files.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(directories.filter((directory) => directory !== undefined))].toSorted();
}

if (import.meta.main) {
  await runScript({
    command: (lifetime) =>
      scriptCommand("npm run build --")
        .description(
          "Bundles the programs into dist/: the plugin, the webhook and what starts it, the runner; then runs the webhook once, so " +
            "that what V8 compiled can be kept. About 5 seconds. dist/ is made anew each time.",
        )
        .addHelpText("after", "\nExample:\n  npm run build && node dist/kubectl-fabric.js --help")
        .action(() => build(lifetime)),
    leftovers: () => "dist/ may be unfinished: npm run build makes it anew.",
  });
}
