import { readdirSync, readFileSync } from "node:fs";

/** A process of the machine. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly threads: number;
  /** Bytes in memory, shared ones counted too. */
  readonly resident: number;
}

/** The resources of a process and all of its descendants. */
export interface Usage {
  readonly processes: number;
  readonly threads: number;
  /** Bytes. */
  readonly resident: number;
}

const pageBytes = 4096;

/** Reads /proc/<pid>/stat (proc(5)): "pid (name) state ppid ..."; a name may contain any character, also brackets. */
export function parseStat(text: string): ProcessEntry | undefined {
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  const entry = {
    pid: Number.parseInt(text, 10),
    parent: Number(fields[1]),
    threads: Number(fields[17]),
    resident: Number(fields[21]) * pageBytes,
  };
  return end > 0 && Object.values(entry).every(Number.isInteger) ? entry : undefined;
}

/** Every process in /proc, except those that end meanwhile. Synchronous: the kernel answers without a disk. */
export function readProcesses(): readonly ProcessEntry[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => parseStat(readStat(pid)) ?? []);
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return "";
  }
}

/** A process with its descendants, itself first. */
export function familyOf(root: number, table: readonly ProcessEntry[]): readonly ProcessEntry[] {
  const children = Map.groupBy(table, ({ parent }) => parent);
  const family: ProcessEntry[] = [];
  let next = table.filter(({ pid }) => pid === root);
  while (next.length > 0) {
    family.push(...next);
    next = next.flatMap(({ pid }) => children.get(pid) ?? []);
  }
  return family;
}

/** The sum of a family's resources. */
export function usageOf(family: readonly ProcessEntry[]): Usage {
  return {
    processes: family.length,
    threads: family.reduce((sum, { threads }) => sum + threads, 0),
    resident: family.reduce((sum, { resident }) => sum + resident, 0),
  };
}
