import { readFileSync } from "node:fs";

/** The process that started another; 0 where that has ended. proc(5), stat: the second field after the name in brackets. */
export function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return 0;
  }
}
