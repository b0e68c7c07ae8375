import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * With these a Node takes what was compiled ahead of time (node:module, compile cache), wherever the two lie together. It is taken by
 * the same Node on such a processor alone; any other compiles as usual, and a directory that cannot be written is no error.
 */
export function compiledEnvironment(directory: string): Readonly<Record<string, string>> {
  return { NODE_COMPILE_CACHE: directory, NODE_COMPILE_CACHE_PORTABLE: "1" };
}

/** Compiles a program, by a run that ends at once, into a directory that everybody may read. */
export function compile(program: string, directory: string): void {
  const env = { ...process.env, ...compiledEnvironment(directory) };
  execFileSync(process.execPath, [program, "--version"], { env, stdio: ["ignore", "ignore", "inherit"] });
  chmodSync(directory, 0o755);
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    const path = join(directory, name);
    chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644);
  }
}
