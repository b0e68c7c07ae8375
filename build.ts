// Bundles the programs into dist/: the webhook and what starts it, the runner as one file, the plugin as a small entry and the chunks that its commands load.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { build, type BuildOptions } from "esbuild";
import { builtins } from "./builtins.ts";
import { leanClientNode } from "./plugin/kube/bundle.ts";
import { readManifests } from "./plugin/network/manifests.ts";
import { packagesOf } from "./sbom.ts";
import { leanWebhook } from "./webhook/bundle.ts";

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

await rm("dist", { recursive: true, force: true });
const [, { metafile }] = await Promise.all([
  // As one file the plugin would be 5.5 MB, and every `--help` would wait 150 ms for it to be parsed.
  build({
    ...options,
    plugins: [leanClientNode, builtins],
    entryPoints: [{ in: "plugin/main.ts", out: "kubectl-fabric" }],
    outdir: "dist",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  }),
  build({ ...options, ...commonJs, entryPoints: ["webhook/main.ts"], outfile: PROGRAM, metafile: true }),
  build({ ...options, ...commonJs, entryPoints: ["webhook/start.ts"], outfile: "dist/webhook.cjs" }),
  build({ ...options, ...commonJs, entryPoints: ["rehearsal.ts"], outfile: "dist/rehearsal.cjs" }),
  build({ ...options, plugins: [builtins], entryPoints: ["runner/main.ts"], outfile: "dist/runner.js" }),
]);
await chmod("dist/kubectl-fabric.js", 0o755);
// For an image with this very Node; a public image makes its own (webhook/Dockerfile).
execFileSync(process.execPath, ["dist/rehearsal.cjs", PROGRAM], { stdio: "inherit" });
// For `npm run sbom`: which packages the webhook's bundle has anything of.
const inputs = Object.entries(metafile.outputs[PROGRAM]?.inputs ?? {});
const webhook = packagesOf(inputs.flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])));
writeFileSync("dist/packages.json", JSON.stringify({ webhook }));
