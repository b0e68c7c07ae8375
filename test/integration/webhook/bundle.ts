import type { BuildOptions } from "esbuild";
import { leanClientNode } from "../../../build/lean-client-node.ts";
import { leanWebhook } from "../../../webhook/bundle.ts";

/** One file as `npm run build` makes it, without touching dist/. */
export function bundleOf(entry: string, outfile: string): BuildOptions {
  return {
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    define: { __VERSION__: '"9.9.9"' },
    plugins: [leanWebhook, leanClientNode],
    logLevel: "error",
    entryPoints: [entry],
    outfile,
  };
}
