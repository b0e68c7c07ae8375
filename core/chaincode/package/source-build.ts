import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { FabricError } from "../../error.ts";

/** Runs a folder's own build ("npm run build"), which compiles TypeScript, and shows what it writes. Throws `usage` when it fails. */
export async function buildSource(folder: string, output: Writable, signal: AbortSignal): Promise<void> {
  // npm is a script on Windows, which only a shell runs; there is nothing of the user's in the words.
  const shell = process.platform === "win32";
  const child = spawn("npm", ["run", "build"], { cwd: folder, shell, signal, stdio: ["ignore", "pipe", "pipe"] });
  for (const stream of [child.stdout, child.stderr]) stream.pipe(output, { end: false });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    if (code === 0) return;
    throw new FabricError("usage", `expected npm run build in ${folder} to succeed, found exit code ${code}`);
  } catch (cause) {
    if (cause instanceof FabricError || signal.aborted) throw cause;
    throw new FabricError("usage", `cannot run npm run build in ${folder}`, { hint: "is npm on the PATH?", cause });
  }
}
