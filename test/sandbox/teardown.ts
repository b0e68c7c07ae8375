import { readFileSync } from "node:fs";
import { readdir, readlink, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { foreignPaths, recall, restoreSysctls, type Before } from "./before.ts";
import { run, succeeds } from "./command.ts";
import { components } from "./components.ts";
import { emptyTables, firewallRemoval } from "./firewall.ts";
import { exists } from "./freshness.ts";
import type { Layout } from "./layout.ts";
import { containerProcesses, endProcesses, listProcesses, runningAs } from "./processes.ts";
import type { Progress } from "./progress.ts";
import { isRunning, programOf, startComponent, waitUntil } from "./supervise.ts";

/** Ends the cluster and removes every trace of it, whatever state it is in. Keeps what was built. */
export async function teardown(layout: Layout, progress: Progress): Promise<void> {
  await endControlPlane(layout);
  progress.say("control plane ended");
  await removePods(layout);
  progress.say("Pods removed");
  await removeMounts([layout.run, layout.state]);
  await removeFirewall();
  await removeControlGroups();
  const before = await recall(layout);
  await removeForeignFiles(layout, before);
  if (before) await restore(before);
  await rm(layout.run, { recursive: true, force: true });
  await rm(layout.state, { recursive: true, force: true });
  progress.say("machine as before");
}

/** At once: their state is thrown away, and the API server alone would take 5 s to end on its own terms. */
async function endControlPlane(layout: Layout): Promise<void> {
  const names = [
    ...(["kubelet", "node-agent", "kube-proxy", "kube-scheduler"] as const),
    ...(["kube-controller-manager", "kube-apiserver", "etcd"] as const),
  ];
  const processes = listProcesses();
  await endProcesses(
    names.flatMap((name) => runningAs(programOf(layout, name), processes)),
    "SIGKILL",
  );
}

/** By the container runtime, so that networks are taken apart; what it leaves over is killed. */
async function removePods(layout: Layout): Promise<void> {
  if (await exists(join(layout.state, "containerd.toml"))) await askContainerd(layout);
  await endProcesses(runningAs(programOf(layout, "containerd")), "SIGTERM");
  await endProcesses([...shims(layout), ...containerProcesses()], "SIGKILL");
}

async function askContainerd(layout: Layout): Promise<void> {
  const leftBehind = !isRunning(layout, "containerd") && shims(layout).length > 0;
  // Somebody killed it: only another one knows what its shims hold.
  if (leftBehind) startComponent(layout, components(layout, "").containerd);
  if (!isRunning(layout, "containerd")) return;
  const holds = () => succeeds(join(layout.bin, "ctr"), ["-a", layout.containerdSocket, "version"]);
  try {
    await waitUntil(layout, { what: "containerd answers", needs: ["containerd"], seconds: 10, holds });
    await run(join(layout.bin, "kube-node"), ["remove-pods", layout.containerdSocket], { timeout: 45_000 });
  } catch {
    // It hangs or ends: what it leaves over is killed next.
  }
}

function shims(layout: Layout): readonly number[] {
  return listProcesses()
    .filter(({ argv }) => argv[0]?.endsWith("containerd-shim-runc-v2") && argv.includes(layout.containerdSocket))
    .map(({ pid }) => pid);
}

/** Mount points at or below directories, the innermost first. */
export function mountsBelow(mounts: string, directories: readonly string[]): readonly string[] {
  return mounts
    .split("\n")
    .map((line) =>
      (line.split(" ")[1] ?? "").replace(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8))),
    )
    .filter((path) => directories.some((directory) => path === directory || path.startsWith(`${directory}/`)))
    .toReversed();
}

async function removeMounts(directories: readonly string[]): Promise<void> {
  for (const path of mountsBelow(readFileSync("/proc/mounts", "utf8"), directories)) await run("umount", ["-l", path]);
}

async function removeFirewall(): Promise<void> {
  await succeeds("nft", ["delete", "table", "inet", "netpol"]);
  for (const tool of ["iptables", "ip6tables"]) {
    if (!(await succeeds(`${tool}-save`, []))) continue; // never installed, or no IPv6
    const removal = firewallRemoval(await run(`${tool}-save`, []));
    if (removal !== "") await run(`${tool}-restore`, ["--noflush"], { input: removal });
  }
}

async function removeControlGroups(): Promise<void> {
  const root = "/sys/fs/cgroup";
  const hierarchies = [root, ...(await directoriesIn(root)).map((name) => join(root, name))];
  for (const hierarchy of hierarchies) await removeGroup(join(hierarchy, "k8s.io"));
}

async function removeGroup(group: string): Promise<void> {
  if (!(await exists(group))) return;
  for (const name of await directoriesIn(group)) await removeGroup(join(group, name));
  await rmdir(group).catch(() => {}); // still emptying: it holds no process any more
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Only what is ours, file by file: others may use the same directories. */
async function removeForeignFiles(layout: Layout, before: Before | undefined): Promise<void> {
  await removeLinksInto("/var/log/containers", layout.state);
  const results = "/var/lib/cni/results";
  for (const name of networkResults(await namesIn(results))) await rm(join(results, name));
  await rm("/var/lib/kubelet/device-plugins/kubelet.sock", { force: true });
  const sockets = "/run/containerd/s";
  // In this order: one that somebody else makes meanwhile is not among them.
  const names = await namesIn(sockets);
  const bound = readFileSync("/proc/net/unix", "utf8");
  for (const name of names) {
    if (!bound.includes(join(sockets, name))) await rm(join(sockets, name)); // a killed shim's
  }
  for (const path of foreignPaths) if (before && !before.paths.includes(path)) await removeEmpty(path);
}

/** What the CNI library remembers of our Pods: their links, and the loopback interfaces beside them. */
export function networkResults(names: readonly string[]): readonly string[] {
  const pods = names.flatMap((name) => /^sandbox-(\w+)-eth0$/.exec(name)?.[1] ?? []);
  return names.filter((name) =>
    pods.some((pod) => name === `sandbox-${pod}-eth0` || name === `cni-loopback-${pod}-lo`),
  );
}

async function removeLinksInto(directory: string, target: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const link = await readlink(join(directory, name)).catch(() => "");
    if (link.startsWith(`${target}/`)) await rm(join(directory, name));
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return readdir(directory).catch(() => []);
}

/** Removes directories that hold nothing but such directories. */
async function removeEmpty(directory: string): Promise<void> {
  for (const name of await directoriesIn(directory)) await removeEmpty(join(directory, name));
  await rmdir(directory).catch(() => {}); // not empty: somebody else's
}

async function restore(before: Before): Promise<void> {
  await restoreSysctls(before);
  const ruleset = await run("nft", ["-j", "list", "ruleset"]);
  for (const table of emptyTables(ruleset)) {
    if (!before.tables.includes(table)) await succeeds("nft", ["delete", "table", ...table.split(" ")]);
  }
}
