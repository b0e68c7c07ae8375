import { readFileSync, writeFileSync } from "node:fs";
import { build as bundle, type BuildOptions } from "esbuild";
import { readManifests } from "../core/installation/manifests.ts";
import { builtins } from "./builtins.ts";
import { embeddedText } from "./embedded-text.ts";
import { leanClientNode } from "./lean-client-node.ts";

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
  // For keys in a hardware module: fabric-gateway loads it only for such a key, and native code cannot be bundled.
  external: ["pkcs11js"],
  legalComments: "external",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
};

/**
 * Splits the plugin into chunks: as one file it would be 5.5 MB, and every `--help` would take 150 ms longer to parse it. A package.json beside
 * them says that they are ECMAScript modules: Node asks the nearest one, and further up is whatever is in the user's home.
 */
export async function bundlePlugin(directory: string): Promise<void> {
  await bundle({
    ...options,
    plugins: [embeddedText, leanClientNode, builtins],
    entryPoints: [{ in: "plugin/main.ts", out: "kubectl-fabric" }],
    outdir: directory,
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
  });
  writeFileSync(`${directory}/package.json`, '{ "type": "module" }\n');
}

/**
 * The images' programs are one CommonJS file each: `require` reads only the used exports of Node's own modules, an import reads all, and
 * so loads Node's fetch and WebSocket (lib/http.js). The runner takes 60 MiB instead of 65.
 */
const oneFile: BuildOptions = { ...options, format: "cjs", banner: {} };

/** Returns the directories of the packages that the file contains parts of. */
export async function bundleWebhook(outfile: string): Promise<readonly string[]> {
  const { metafile } = await bundle({
    ...oneFile,
    plugins: [embeddedText],
    entryPoints: ["webhook/main.ts"],
    outfile,
    metafile: true,
  });
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  return packagesOf(inputs.flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])));
}

export async function bundleRunner(outfile: string): Promise<void> {
  await bundle({ ...oneFile, plugins: [embeddedText], entryPoints: ["runner/main.ts"], outfile });
}

/** Directories of the packages, such as node_modules/express, from which a bundle's files come. */
export function packagesOf(files: readonly string[]): readonly string[] {
  const directories = files.map((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]);
  return [...new Set(directories.filter((directory) => directory !== undefined))].toSorted();
}
