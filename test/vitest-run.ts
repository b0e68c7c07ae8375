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
 * is not 0. A stop ends the one that runs, which takes down what it has brought up, and is thrown then.
 */
export async function runProjects(
  selections: readonly Selection[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  let failed = 0;
  for (const { project, args } of selections) {
    const code = await runVitest(["run", "--project", project, ...args], env, signal);
    signal.throwIfAborted();
    failed ||= code;
  }
  return failed;
}

async function runVitest(args: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<number> {
  const child = spawn(process.execPath, [program, ...args], { env, stdio: "inherit" });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 130;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
