// Bundles each program into one file under dist/.
import { readFileSync } from "node:fs";
import { chmod, rm } from "node:fs/promises";
import { build, type BuildOptions } from "esbuild";
import { readManifests } from "./plugin/network/manifests.ts";

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
  legalComments: "none",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
};

await rm("dist", { recursive: true, force: true });
await Promise.all([
  build({ ...options, entryPoints: ["plugin/main.ts"], outfile: "dist/kubectl-fabric.js" }),
  build({ ...options, entryPoints: ["webhook/main.ts"], outfile: "dist/webhook.js" }),
]);
await chmod("dist/kubectl-fabric.js", 0o755);
