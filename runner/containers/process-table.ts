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

/**
 * Reads /proc/<pid>/status (proc(5)): a field a line, its memory in kB, none for a process that has ended. (`stat` counts in pages, of
 * 4, 16 or 64 KiB on arm64.) The name comes first and may have any character, but its line feeds are escaped.
 */
export function parseStatus(text: string): ProcessEntry | undefined {
  const field = (name: string) => Number(new RegExp(`\\n${name}:\\s*(\\d+)`).exec(text)?.[1]);
  const entry = {
    pid: field("Pid"),
    parent: field("PPid"),
    threads: field("Threads"),
    resident: (field("VmRSS") || 0) * 1024,
  };
  return Object.values(entry).every(Number.isInteger) ? entry : undefined;
}

/** Every process in /proc, except those that end meanwhile. Synchronous: the kernel answers without a disk. */
export function readProcesses(): readonly ProcessEntry[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => parseStatus(readStatus(pid)) ?? []);
}

function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
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
