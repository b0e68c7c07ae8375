import { componentNames, type ComponentName } from "./components.ts";
import type { FabricRelease } from "./fabric-release.ts";
import { loadedNames } from "./images/load.ts";
import { keptImages } from "./images/make.ts";
import type { Layout } from "./layout.ts";
import { listProcesses, memoryOf, runningAs } from "./processes.ts";
import { programOf } from "./supervise.ts";

export interface ComponentStatus {
  readonly name: ComponentName;
  readonly pid?: number;
  /** PSS in bytes. */
  readonly memory?: number;
}

interface ImageStatus {
  readonly name: string;
  readonly tags: readonly string[];
  readonly standsInFor?: string;
  /** Bytes of the archive. */
  readonly size: number;
  readonly archive: string;
  /** Whether the cluster has it; unknown while there is none. */
  readonly loaded?: boolean;
}

export interface SandboxStatus {
  readonly state: "up" | "down" | "partly up";
  readonly kubeconfig: string;
  readonly binDirectory: string;
  readonly cacheDirectory: string;
  readonly components: readonly ComponentStatus[];
  /** PSS of all components, in bytes. */
  readonly memory: number;
  readonly images: readonly ImageStatus[];
  readonly fabricVersions: readonly string[];
}

export async function inspectSandbox(layout: Layout, releases: readonly FabricRelease[]): Promise<SandboxStatus> {
  const components = inspectComponents(layout);
  return {
    state: stateOf(components),
    kubeconfig: layout.kubeconfig,
    binDirectory: layout.bin,
    cacheDirectory: layout.cache,
    components,
    memory: components.reduce((sum, { memory = 0 }) => sum + memory, 0),
    images: await inspectImages(layout, components),
    fabricVersions: releases.map(({ version }) => version),
  };
}

export function stateOf(components: readonly ComponentStatus[]): SandboxStatus["state"] {
  const running = components.filter(({ pid }) => pid !== undefined).length;
  if (running === 0) return "down";
  return running === components.length ? "up" : "partly up";
}

function inspectComponents(layout: Layout): readonly ComponentStatus[] {
  const processes = listProcesses();
  return componentNames.map((name) => {
    const [pid] = runningAs(programOf(layout, name), processes);
    return pid === undefined ? { name } : { name, pid, memory: memoryOf(pid) };
  });
}

async function inspectImages(layout: Layout, components: readonly ComponentStatus[]): Promise<readonly ImageStatus[]> {
  const runtime = components.some(({ name, pid }) => name === "containerd" && pid !== undefined);
  const loaded = runtime ? await loadedNames(layout) : undefined;
  return (await keptImages(layout)).map(({ name, tags, standsInFor, size, archive }) => ({
    name,
    tags,
    ...(standsInFor !== undefined && { standsInFor }),
    size,
    archive,
    ...(loaded && { loaded: tags.every((tag) => loaded.has(tag)) }),
  }));
}

/** For people. */
export function statusText(status: SandboxStatus): string {
  const { state, components, images } = status;
  const lines = [`sandbox ${state}, ${mebibytes(status.memory)} (PSS)`];
  for (const { name, pid, memory = 0 } of components) {
    lines.push(
      `  ${name.padEnd(24)} ${pid === undefined ? "down" : `pid ${String(pid).padEnd(8)} ${mebibytes(memory)}`}`,
    );
  }
  if (images.length > 0) lines.push("images");
  for (const image of images) {
    const loaded = image.loaded === false ? "   not loaded" : "";
    lines.push(`  ${mebibytes(image.size).padStart(8)}  ${image.tags.join(", ")}${loaded}`);
    if (image.standsInFor !== undefined) lines.push(`            stands in for ${image.standsInFor}`);
  }
  lines.push(`Fabric releases: ${status.fabricVersions.join(", ") || "none (set FABRIC_HOME)"}`);
  if (state === "up") lines.push(`export KUBECONFIG=${status.kubeconfig} PATH=${status.binDirectory}:$PATH`);
  return `${lines.join("\n")}\n`;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 2 ** 20 * 10 ? 1 : 0)} MiB`;
}
