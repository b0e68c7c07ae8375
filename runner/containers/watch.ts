import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, type Log } from "../../core/process/log.ts";
import type { Container } from "./container.ts";
import type { ContainerLimits } from "./containers.ts";
import { diskUsage } from "./disk-usage.ts";
import { familyOf, readProcesses, usageOf, type ProcessEntry, type Usage } from "./process-table.ts";
import { unlinkedBytes } from "./unlinked-files.ts";

/** An unprivileged container gets no cgroups with limits of their own from the kernel, so the runner watches its containers itself. */
export interface WatchSettings {
  readonly containers: () => readonly Container[];
  readonly limits: ContainerLimits;
  readonly log: Log;
  /** Told in each round. */
  readonly measured: (containers: readonly Container[]) => void;
}

const secondMs = 1000;
/** Rounds between two measurements of disks, which take longer than reading /proc. */
const roundsAWalk = 5;

/** Ends containers that exceed their limits of memory, threads or disk, within seconds. Runs until the signal is aborted. */
export async function watchContainers(settings: WatchSettings, signal: AbortSignal): Promise<void> {
  for (let round = 0; !signal.aborted; round += 1) {
    try {
      await measure(settings, round % roundsAWalk === 0);
    } catch (error) {
      settings.log.warn("cannot measure containers", { reason: reasonOf(error) });
    }
    await sleep(secondMs, undefined, { signal }).catch(() => undefined);
  }
}

async function measure({ containers, limits, log, measured }: WatchSettings, walk: boolean): Promise<void> {
  const running = containers().filter(({ state }) => state.status === "running");
  const table = running.length === 0 ? [] : readProcesses();
  for (const container of running) {
    if (container.state.status !== "running") continue;
    const family = familyOf(container.state.process.pid, table);
    container.usage = usageOf(family);
    const disk = walk ? await diskOf(container, family, limits.disk) : 0;
    const verdict = excess(container.usage, disk, container.memoryLimit, limits);
    if (verdict === undefined || container.verdict !== "") continue;
    container.verdict = verdict;
    container.output.write("stderr", Buffer.from(`ended by the runner: ${verdict}\n`));
    log.warn("over its limit", { container: container.name, why: verdict });
    container.state.process.end();
  }
  measured(containers());
}

/** Bytes of a container's files, also of open ones without a name. */
async function diskOf({ root }: Container, family: readonly ProcessEntry[], enough: number): Promise<number> {
  const named = await diskUsage(root, enough);
  const pids = family.map(({ pid }) => pid);
  return named > enough ? named : named + (await unlinkedBytes(pids, enough - named));
}

/** The exceeded limit, in words; undefined when there is none. */
export function excess(
  usage: Usage,
  disk: number,
  memory: number,
  limits: Pick<ContainerLimits, "threads" | "disk">,
): string | undefined {
  if (usage.resident > memory) return `memory: expected at most ${memory} bytes, found ${usage.resident}`;
  if (usage.threads > limits.threads) return `threads: expected at most ${limits.threads}, found ${usage.threads}`;
  if (disk > limits.disk) return `disk: expected at most ${limits.disk} bytes, found more`;
  return undefined;
}
