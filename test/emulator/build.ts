import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { build } from "esbuild";

/** Bundles the emulator into one executable file; start it as `peer` or `orderer`, by name or by first argument. */
export async function buildEmulator(outfile: string): Promise<string> {
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [join(import.meta.dirname, "main.ts")],
    outfile,
    bundle: true,
    platform: "node",
    target: "node24",
    // CommonJS needs no file name ending and no package.json beside it, so that the file can be called `peer`.
    format: "cjs",
    banner: { js: "#!/usr/bin/env node" },
    legalComments: "none",
    logLevel: "warning",
  });
  await chmod(outfile, 0o755);
  return outfile;
}
