import { spawn } from "node:child_process";
import { once } from "node:events";

const program = new URL("../node_modules/vitest/vitest.mjs", import.meta.url).pathname;

/** Tests of one project; `args` are those of `vitest run`, such as files. */
export interface Selection {
  readonly project: string;
  readonly args: readonly string[];
}

/**
 * Runs one selection of tests after the other, each to its end, also when one before it failed; gives the first exit code that
 * is not 0. A stop gives up the tests that run, waits until their hooks have ended what they began, and is thrown then.
 */
export async function runProjects(
  selections: readonly Selection[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  let failed = 0;
  for (const { project, args } of selections) {
    signal.throwIfAborted();
    const code = await runVitest(["run", "--project", project, ...args], env, signal);
    failed ||= code;
  }
  signal.throwIfAborted();
  return failed;
}

async function runVitest(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  // A group of its own: Ctrl-C in a terminal would end its workers, too, in the middle of what they do (test/orderly-stop.ts).
  const child = spawn(process.execPath, [program, ...args], { env, stdio: "inherit", detached: true });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  // Of this script, at once: the second signal for it, too.
  process.once("exit", stop);
  try {
    const [code, killed] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (killed !== null) process.stderr.write(`error: vitest was ended by ${killed}\n`);
    return code ?? 1;
  } finally {
    process.off("exit", stop);
    signal.removeEventListener("abort", stop);
  }
}
