import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./command.ts";
import { nftTables } from "./firewall.ts";
import { exists, writeAtomically } from "./freshness.ts";
import type { Layout } from "./layout.ts";

/** How the machine was before the sandbox: `down` puts it back. */
export interface Before {
  readonly sysctls: Readonly<Record<string, string>>;
  /** nft tables as `family name`. */
  readonly tables: readonly string[];
  /** Those of the foreign paths that were there already. */
  readonly paths: readonly string[];
}

/** What kube-proxy and we set. */
const sysctls = ["net/ipv4/ip_forward", "net/ipv4/conf/all/route_localnet"] as const;

/** Directories that kubelet, containerd and the CNI library make at places of their own choice. */
export const foreignPaths = ["/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/run/containerd"] as const;

/** Remembers how the machine is, unless that is remembered already. */
export async function remember(layout: Layout): Promise<void> {
  const file = fileOf(layout);
  if (await exists(file)) return;
  const values = await Promise.all(sysctls.map(async (name) => [name, await readSysctl(name)]));
  const present = await Promise.all(foreignPaths.map((path) => exists(path)));
  const before: Before = {
    sysctls: Object.fromEntries(values) as Record<string, string>,
    tables: nftTables(await run("nft", ["-j", "list", "tables"])),
    paths: foreignPaths.filter((_, index) => present[index]),
  };
  await writeAtomically(file, JSON.stringify(before, undefined, 1));
}

export async function recall(layout: Layout): Promise<Before | undefined> {
  const text = await readFile(fileOf(layout), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Before);
}

export async function restoreSysctls(before: Before): Promise<void> {
  for (const [name, value] of Object.entries(before.sysctls)) {
    if ((await readSysctl(name)) !== value) await writeFile(`/proc/sys/${name}`, value);
  }
}

export async function forwardPackets(): Promise<void> {
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
}

const fileOf = (layout: Layout) => join(layout.state, "before.json");

async function readSysctl(name: string): Promise<string> {
  return (await readFile(`/proc/sys/${name}`, "utf8")).trim();
}
