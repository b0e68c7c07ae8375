import { execFile } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { endProcesses, listProcesses } from "../sandbox/processes.ts";
import { mountsBelow } from "../sandbox/teardown.ts";

const run = promisify(execFile);

/**
 * Ends what is left of a program that kept everything in one folder, whatever way the program itself has ended: processes that work in
 * the folder or name it, all that they started (what is in a container names nothing of ours), and mounts below it.
 */
export async function endRemains(folder: string): Promise<void> {
  // Again: one that was just starting another was not yet seen with it.
  for (let found = processesOf(folder); found.length > 0; found = processesOf(folder)) {
    await endProcesses(found, "SIGKILL");
  }
  for (const path of mountsBelow(await readFile("/proc/mounts", "utf8"), [folder])) await run("umount", ["-l", path]);
}

/** Processes that name a folder or work in it, and their descendants. */
export function processesOf(folder: string): readonly number[] {
  const processes = listProcesses().filter(({ pid }) => pid !== process.pid);
  const found = new Set(
    processes
      .filter(({ pid, argv }) => argv.some((word) => word.includes(folder)) || worksIn(pid, folder))
      .map(({ pid }) => pid),
  );
  // A Set is walked to its end also where that moves.
  for (const parent of found) {
    for (const { pid } of processes) if (parentOf(pid) === parent) found.add(pid);
  }
  return [...found];
}

function worksIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
  } catch {
    return false; // it has ended meanwhile
  }
}

/** The process that started another; 0 where that has ended. proc(5), stat: the second field after the name in brackets. */
export function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}
