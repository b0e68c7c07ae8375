import { spawn } from "node:child_process";
import { once } from "node:events";

const program = new URL("../node_modules/vitest/vitest.mjs", import.meta.url).pathname;

/** Runs one project of the tests to its end; gives its exit code, 130 when a signal ended it. */
export async function runVitest(project: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, [program, "run", "--project", project, ...args], { env, stdio: "inherit" });
  // It takes down what it has brought up; who started it waits for that.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", pass).on("SIGTERM", pass);
  try {
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? 130;
  } finally {
    process.off("SIGINT", pass).off("SIGTERM", pass);
  }
}
