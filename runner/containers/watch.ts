import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, type Log } from "../../core/process/log.ts";
import type { Container } from "./container.ts";
import type { ContainerLimits } from "./containers.ts";
import { diskUsage } from "./disk-usage.ts";
import { familyOf, readProcesses, usageOf, type ProcessEntry, type Usage } from "./process-table.ts";
import { unlinkedBytes } from "./unlinked-files.ts";

/** The kernel gives an unprivileged container no groups of processes with limits of their own: what it cannot bound is watched. */
export interface WatchSettings {
  readonly containers: () => readonly Container[];
  readonly limits: ContainerLimits;
  readonly log: Log;
  /** Told in each round. */
  readonly measured: (containers: readonly Container[]) => void;
}

const secondMs = 1000;
/** Walking a directory takes longer than reading /proc. */
const roundsAWalk = 5;

/** Ends containers that have more than their share of memory, threads or disk, within seconds; runs until the signal. */
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

/** What has a name, and what has none any more. */
async function diskOf({ root }: Container, family: readonly ProcessEntry[], enough: number): Promise<number> {
  const named = await diskUsage(root, enough);
  const pids = family.map(({ pid }) => pid);
  return named > enough ? named : named + (await unlinkedBytes(pids, enough - named));
}

/** What there is too much of, in words; undefined when nothing is. */
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
