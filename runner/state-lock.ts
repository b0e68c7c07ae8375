import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Log } from "../core/process/log.ts";

/** A lock of the state's directory against other runners. */
export interface StateLock {
  release(): void;
}

export interface LockSettings {
  readonly confine: string;
  readonly state: string;
  readonly log: Log;
}

/**
 * Waits until no other runner has the state. After a Pod was deleted by force, its runner may still run when the next Pod mounts its
 * claim, and each would remove the other's files. A child process holds the lock (`confine lock`: Node.js has no flock) and ends with us,
 * however we end. The lock is on the directory itself: it needs no file, and chaincode can open no directory but its own (Landlock). On
 * a file system without such locks it logs a warning and goes on. Undefined when the signal is aborted first.
 */
export async function lockState(
  { confine, state, log }: LockSettings,
  signal: AbortSignal,
): Promise<StateLock | undefined> {
  await mkdir(state, { recursive: true });
  const child = spawn(confine, ["lock", state], { stdio: ["pipe", "pipe", "pipe"] });
  const release = () => void child.stdin.destroy();
  child.stdin.on("error", release);
  signal.addEventListener("abort", release, { once: true });
  const said = await answerOf(child, () =>
    log.warn("waits for the runner before, which still uses this state", { state }),
  );
  signal.removeEventListener("abort", release);
  if (signal.aborted) return undefined;
  if (said !== "") log.warn("the state cannot be locked: another runner on it would not be noticed", { reason: said });
  else child.once("exit", () => signal.aborted || log.warn("the state's lock is lost", { state }));
  // The child must not keep the runner's process alive.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as Socket).unref();
  return { release };
}

/** Empty as soon as the lock is taken; else why it cannot be. */
async function answerOf(child: ChildProcess, waiting: () => void): Promise<string> {
  let failure = "";
  child.stderr?.on("data", (data: Buffer) => (failure += data.toString()));
  const ended = once(child, "close").then(
    () => failure.trim() || "its holder has ended",
    (error: unknown) => String(error),
  );
  const locked = new Promise<string>((resolve) => {
    if (child.stdout === null) return;
    createInterface(child.stdout).on("line", (line) => {
      if (line === "waiting") waiting();
      else if (line === "locked") resolve("");
    });
  });
  return Promise.race([locked, ended]);
}
