import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Log } from "../core/process/log.ts";

/** The state's directory is ours alone. */
export interface StateLock {
  release(): void;
}

export interface LockSettings {
  readonly confine: string;
  readonly state: string;
  readonly log: Log;
}

/**
 * Waits until no other runner has the state: that of a Pod deleted by force may still be there when the next Pod mounts its claim, and
 * each would clear away what the other one has. A child has the lock (`confine lock`: Node.js has no flock), and ends with us, however we
 * end. The lock is the directory's own: it leaves no file, and chaincode can open no directory but its own (Landlock). Where the file
 * system has no such locks it is said, and done without. Undefined when the signal comes first.
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
  // It must not keep a runner that cannot go on.
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
