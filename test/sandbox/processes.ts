import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FabricError } from "../../core/error.ts";

export interface Process {
  readonly pid: number;
  readonly argv: readonly string[];
}

/**
 * The machine's processes. Kept instead of pid files, which a kill -9 leaves wrong: a process is ours by its
 * first argument, a path in our cache. Zombies and kernel threads have no arguments and are left out.
 */
export function listProcesses(): readonly Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), argv: argvOf(readOrEmpty(`/proc/${name}/cmdline`)) }))
    .filter(({ argv }) => argv.length > 0);
}

export function argvOf(cmdline: string): readonly string[] {
  return cmdline.split("\0").slice(0, -1);
}

export function runningAs(program: string, processes: readonly Process[] = listProcesses()): readonly number[] {
  return processes.filter(({ argv }) => argv[0] === program).map(({ pid }) => pid);
}

/** Ends processes and waits until they are gone; after `patience` milliseconds they are killed. */
export async function endProcesses(pids: readonly number[], signal: NodeJS.Signals, patience = 10_000): Promise<void> {
  for (const pid of pids) send(pid, signal);
  if (await allGone(pids, patience)) return;
  for (const pid of pids) send(pid, "SIGKILL");
  if (await allGone(pids, 5_000)) return;
  const left = pids.filter(isAlive).join(", ");
  throw new FabricError("timeout", `expected processes to end after SIGKILL, found still there: ${left}`);
}

async function allGone(pids: readonly number[], patience: number): Promise<boolean> {
  const end = Date.now() + patience;
  while (pids.some(isAlive)) {
    if (Date.now() > end) return false;
    await sleep(20);
  }
  return true;
}

function isAlive(pid: number): boolean {
  return readOrEmpty(`/proc/${pid}/cmdline`) !== "";
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The share of memory that is a process's own (PSS), in bytes. */
export function memoryOf(pid: number): number {
  return Number(/^Pss:\s*(\d+) kB/m.exec(readOrEmpty(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) * 1024;
}

/** Processes in containers of the runtime's Kubernetes namespace, by their control group. */
export function containerProcesses(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isInPod(readOrEmpty(`/proc/${name}/cgroup`)))
    .map(Number);
}

export function isInPod(cgroup: string): boolean {
  return cgroup.split("\n").some((line) => /^\d+:[^:]*:\/k8s\.io\//.test(line));
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}
