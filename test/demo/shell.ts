import { spawn } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Runs command lines as a person would type them. */
export interface Shell {
  /** Shows the line and runs it, its output as it comes. Throws when it fails. */
  run(line: string): Promise<void>;
  /** Runs a line unseen and gives what it printed. */
  read(line: string): Promise<string>;
  close(): Promise<void>;
}

/** A shell in which `kubectl fabric` is this build, and kubectl may come from `binDir`. */
export async function newShell(
  environment: NodeJS.ProcessEnv,
  binDir: string | undefined,
  signal: AbortSignal,
): Promise<Shell> {
  const plugins = await mkdtemp(join(tmpdir(), "kubectl-fabric-demo-"));
  await symlink(resolve("dist/kubectl-fabric.js"), join(plugins, "kubectl-fabric"));
  const path = [plugins, binDir, environment["PATH"]].filter(Boolean).join(":");
  const env = { ...environment, PATH: path };
  return {
    async run(line) {
      console.log(`\n$ ${line}`);
      await execute(line, env, "inherit", signal);
    },
    read: (line) => execute(line, env, "pipe", signal),
    close: () => rm(plugins, { recursive: true, force: true }),
  };
}

function execute(
  line: string,
  env: NodeJS.ProcessEnv,
  output: "inherit" | "pipe",
  signal: AbortSignal,
): Promise<string> {
  return new Promise((done, fail) => {
    // Own process group: Ctrl-C reaches us first, and we end the child in order.
    const child = spawn("bash", ["-c", line], { env, stdio: ["ignore", output, "inherit"], detached: true });
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString()));
    const abort = () => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGINT");
    };
    signal.addEventListener("abort", abort, { once: true });
    child.once("error", fail);
    child.once("close", (code, killed) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) fail(signal.reason instanceof Error ? signal.reason : new Error("interrupted"));
      else if (code === 0) done(text);
      else fail(new Error(`"${line}" ended with ${code ?? killed}`));
    });
    if (signal.aborted) abort();
  });
}
