import { readFileSync } from "node:fs";
import type { Kubectl } from "../sandbox/kubectl.ts";
import { listProcesses, type Process } from "../sandbox/processes.ts";

/**
 * The processes of a Pod's containers, and of those that a Docker daemon in it started, by their control groups; those of
 * containers that come later are not among them.
 */
export async function processesOf(
  kubectl: Kubectl,
  namespace: string,
  pod: string,
  container?: string,
): Promise<() => readonly Process[]> {
  const { status } = JSON.parse(await kubectl(["-n", namespace, "get", "pod", pod, "-o", "json"])) as {
    status: Record<"containerStatuses" | "initContainerStatuses", { name: string; containerID: string }[]>;
  };
  const ids = [...status.containerStatuses, ...status.initContainerStatuses]
    .filter(({ name }) => container === undefined || name === container)
    .map(({ containerID }) => containerID.replace(/^.*\/\//, ""));
  return () =>
    listProcesses().filter(({ pid }) => {
      const groups = controlGroups(pid);
      return ids.some((id) => groups.includes(id));
    });
}

/** What /proc/PID/cgroup says; nothing of a process that has ended meanwhile. */
function controlGroups(pid: number): string {
  return textOf(`/proc/${pid}/cgroup`);
}

/** A file of /proc, or nothing when its process has ended meanwhile. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
