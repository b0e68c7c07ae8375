import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * The servers, processes and folders that a piece of work has begun. They end with the work, the last first, whether the work is
 * done, fails, or is stopped half-way.
 */
export interface Lifetime extends AsyncDisposable {
  /** Aborted when the work is to stop. */
  readonly signal: AbortSignal;
  /**
   * Begins something that `end` ends. When the lifetime ends during `start`, it waits for it, then ends it. A `start` that
   * fails has to clean up by itself. Throws the signal's reason, and begins nothing, when the signal is aborted.
   */
  begin<T>(start: () => Promise<T> | T, end: (begun: T) => Promise<unknown> | void): Promise<T>;
  /** Returns the work's result, or throws the signal's reason as soon as it is aborted. The work itself may then still go on. */
  unlessStopped<T>(work: Promise<T>): Promise<T>;
}

export function newLifetime(signal: AbortSignal): Lifetime {
  const begun = new AsyncDisposableStack();
  return {
    signal,
    begin: async (start, end) => {
      signal.throwIfAborted();
      const { promise: settled, resolve: settle } = Promise.withResolvers<void>();
      let started: (() => Promise<unknown> | void) | undefined;
      // Before the start, for a stop may come during it. Throws when the lifetime has ended.
      begun.defer(async () => {
        await settled;
        await started?.();
      });
      try {
        const result = await start();
        started = () => end(result);
        return result;
      } finally {
        settle();
      }
    },
    unlessStopped: async (work) => {
      const stopped = Promise.withResolvers<never>();
      const stop = (): void => stopped.reject(signal.reason as Error);
      signal.addEventListener("abort", stop, { once: true });
      try {
        signal.throwIfAborted();
        return await Promise.race([work, stopped.promise]);
      } finally {
        signal.removeEventListener("abort", stop);
        // After a stop nobody waits for the work: its failure must not be unhandled.
        work.catch(() => {});
      }
    },
    [Symbol.asyncDispose]: () => begun.disposeAsync(),
  };
}

/** A temporary folder; it is removed when the lifetime ends. */
export function temporaryFolder(lifetime: Lifetime, prefix: string): Promise<string> {
  return lifetime.begin(
    () => mkdtempSync(join(tmpdir(), prefix)),
    (folder) => rmSync(folder, { recursive: true, force: true }),
  );
}

/** Starts a program; it is stopped when the lifetime ends. */
export function startProgram(
  lifetime: Lifetime,
  [program = "", ...args]: readonly string[],
  options: SpawnOptions = {},
): Promise<ChildProcess> {
  return lifetime.begin(async () => {
    const child = spawn(program, args, options);
    await once(child, "spawn");
    return child;
  }, endProgram);
}

/**
 * Runs a program to its end; the signal stops it. Returns its standard output, if that is a pipe. Throws when the program fails.
 */
export async function runProgram(
  lifetime: Lifetime,
  argv: readonly string[],
  options: SpawnOptions = {},
): Promise<string> {
  const child = await startProgram(lifetime, argv, options);
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  const closed = once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
  const [status, signal] = await lifetime.unlessStopped(closed);
  if (status !== 0) throw new Error(`${argv.join(" ")}: expected exit status 0, found ${status ?? signal}`);
  return output;
}

/** Milliseconds between SIGTERM and SIGKILL. */
const patience = 10_000;

async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await Promise.race([exited, sleep(patience, undefined, { ref: false })]);
  child.kill("SIGKILL");
  await exited;
}
