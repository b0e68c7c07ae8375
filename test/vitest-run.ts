import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = new URL("../node_modules/vitest/vitest.mjs", import.meta.url).pathname;

/** Tests of one project; `args` are those of `vitest run`, such as files. */
export interface Selection {
  readonly project: string;
  readonly args: readonly string[];
  /** The program of another Node than this one, to run them on. */
  readonly node?: string;
  /** Variables besides those of the whole run. */
  readonly env?: NodeJS.ProcessEnv;
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
  return runSideBySide([selections], env, signal);
}

/** Several such rows, side by side. What the first one says is shown as it comes, that of another as a whole, when it has ended. */
export async function runSideBySide(
  rows: readonly (readonly Selection[])[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const codes = await Promise.all(rows.map((row, index) => runRow(row, env, signal, index > 0)));
  signal.throwIfAborted();
  return codes.find((code) => code !== 0) ?? 0;
}

async function runRow(
  row: readonly Selection[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  isHeldBack: boolean,
): Promise<number> {
  let failed = 0;
  for (const { project, args, node = process.execPath, env: own } of row) {
    if (signal.aborted) break;
    const argv = [node, program, "run", "--project", project, ...args];
    const code = await runVitest(argv, { ...env, ...own }, signal, isHeldBack);
    failed ||= code;
  }
  return failed;
}

async function runVitest(
  [node = "", ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  isHeldBack = false,
): Promise<number> {
  const held = isHeldBack ? holdBack() : undefined;
  const output = held?.descriptor ?? "inherit";
  // A group of its own: Ctrl-C in a terminal would end its workers, too, in the middle of what they do (test/orderly-stop.ts).
  const child = spawn(node, args, {
    env,
    stdio: ["inherit", output, output],
    detached: true,
  });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  // Of this script, at once: the second signal for it, too.
  const leave = (): void => {
    stop();
    held?.tell();
  };
  process.once("exit", leave);
  try {
    const [code, killed] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    held?.tell();
    if (killed !== null) process.stderr.write(`error: vitest was ended by ${killed}\n`);
    return code ?? 1;
  } finally {
    process.off("exit", leave);
    signal.removeEventListener("abort", stop);
  }
}

/** A file for what somebody says, to be told later, once. No pipe: that is at its end only when all that have inherited it are. */
function holdBack(): { readonly descriptor: number; readonly tell: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "held-back-"));
  const file = join(folder, "output");
  const descriptor = openSync(file, "w");
  const tell = (): void => {
    process.stdout.write(readFileSync(file));
    closeSync(descriptor);
    rmSync(folder, { recursive: true });
  };
  return { descriptor, tell };
}
