import type { BuildOptions } from "esbuild";
import { httpBuiltin } from "../../../http-builtin.ts";
import { leanClientNode } from "../../../plugin/kube/bundle.ts";

/** One file as `npm run build` makes it, without touching dist/. */
export function bundleOf(entry: string, outfile: string): BuildOptions {
  return {
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    define: { __VERSION__: '"9.9.9"' },
    plugins: [leanClientNode, httpBuiltin],
    logLevel: "error",
    entryPoints: [entry],
    outfile,
  };
}
