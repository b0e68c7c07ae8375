import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * What a piece of work has begun: servers, processes, folders. All of it ends with the work, the last first, whether the work is
 * done, fails, or is stopped half-way.
 */
export interface Lifetime extends AsyncDisposable {
  /** Aborted when the work is to stop. */
  readonly signal: AbortSignal;
  /**
   * Begins something that `end` ends. What is just being begun when the lifetime ends is waited for, then ended; a `start` that
   * fails has to have cleared up after itself. Throws the signal's reason when it is aborted, and begins nothing.
   */
  begin<T>(start: () => Promise<T> | T, end: (begun: T) => Promise<unknown> | void): Promise<T>;
  /** Gives what the work gives, or throws the signal's reason as soon as it is aborted; what the work then still does is its own. */
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
      // Before the start: a stop may come during it. A lifetime that is over takes nothing any more: this throws.
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
        // Nobody waits for it any more: whatever becomes of it is no failure.
        work.catch(() => {});
      }
    },
    [Symbol.asyncDispose]: () => begun.disposeAsync(),
  };
}

/** A folder for what has to be written somewhere; it goes with the lifetime. */
export function temporaryFolder(lifetime: Lifetime, prefix: string): Promise<string> {
  return lifetime.begin(
    () => mkdtempSync(join(tmpdir(), prefix)),
    (folder) => rmSync(folder, { recursive: true, force: true }),
  );
}

/** Starts a program, which ends with the lifetime. */
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
 * Runs a program to its end, which comes early when the lifetime ends. Gives what it wrote to standard output, where that is a pipe.
 * Throws when the program fails.
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

/** Milliseconds for a program that was asked to end. */
const patience = 10_000;

async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await Promise.race([exited, sleep(patience, undefined, { ref: false })]);
  child.kill("SIGKILL");
  await exited;
}
