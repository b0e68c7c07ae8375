import { existsSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { FabricError } from "../../core/error.ts";

/** What this machine is and may do: the configuration follows it. */
export interface Machine {
  /** Go's name of the processor. */
  readonly architecture: "amd64" | "arm64";
  readonly cgroup: 1 | 2;
  /** CAP_SYS_RESOURCE: without it no process may lower an oom_score_adj. */
  readonly mayLowerOomScore: boolean;
  /** Whether kubelet can find the file system that it is to watch. */
  readonly rootDeviceVisible: boolean;
  /** The IPv4 address that Pods reach the API server at. */
  readonly address: string;
}

/** What the sandbox has to know of this machine. Throws `usage`, `forbidden` or `not-found` when there can be no sandbox here. */
export function inspectMachine(): Machine {
  requireLinuxRoot(process.platform, process.getuid?.());
  requireOwnControlGroups(
    readOrUndefined("/sys/fs/cgroup/cgroup.type"),
    readOrUndefined("/sys/fs/cgroup/cgroup.procs"),
  );
  return {
    architecture: architectureOf(process.arch),
    cgroup: existsSync("/sys/fs/cgroup/cgroup.controllers") ? 2 : 1,
    mayLowerOomScore: hasCapability(readFileSync("/proc/self/status", "utf8"), 24),
    rootDeviceVisible: rootDeviceOf(readFileSync("/proc/self/mountinfo", "utf8")) !== undefined,
    address: addressOf(readFileSync("/proc/net/route", "utf8"), networkInterfaces()),
  };
}

export function requireLinuxRoot(platform: string, uid: number | undefined): void {
  if (platform !== "linux") {
    throw new FabricError("usage", `expected Linux, found ${platform}`, {
      hint: "run it in a Linux virtual machine, or point KUBECONFIG at another cluster (kind, minikube)",
    });
  }
  if (uid !== 0) {
    throw new FabricError("forbidden", `expected to be root, found user ${uid}`, {
      hint: "sudo env PATH=$PATH npm run sandbox -- up",
    });
  }
}

/**
 * In a container of cgroup v2, the visible root is an ordinary group: it has a type, which the real root lacks,
 * and while processes are in it no Pod can get a group with limits.
 */
export function requireOwnControlGroups(type: string | undefined, processes: string | undefined): void {
  if (type === undefined || (processes ?? "").trim() === "") return;
  throw new FabricError("usage", "expected a machine, found a container with processes in its root control group", {
    hint: "run it on the machine itself, or start the container with docker run --privileged --cgroupns=host",
  });
}

export function architectureOf(arch: string): "amd64" | "arm64" {
  if (arch === "x64") return "amd64";
  if (arch === "arm64") return "arm64";
  throw new FabricError("usage", `expected an x64 or arm64 processor, found ${arch}`);
}

/** Whether a process has a capability in effect, by its /proc/PID/status. */
export function hasCapability(status: string, bit: number): boolean {
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
  return ((BigInt(`0x${mask}`) >> BigInt(bit)) & 1n) === 1n;
}

/** The device that holds /, if it is one that can be looked at (an overlay or a missing node is not). */
export function rootDeviceOf(mountinfo: string, exists: (path: string) => boolean = existsSync): string | undefined {
  for (const line of mountinfo.split("\n")) {
    const [mount = "", source = ""] = line.split(" - ");
    const device = source.split(" ")[1];
    if (mount.split(" ")[4] === "/" && device?.startsWith("/dev/") && exists(device)) return device;
  }
  return undefined;
}

function readOrUndefined(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

type Interfaces = ReturnType<typeof networkInterfaces>;

/** Interfaces of other container engines: their addresses come and go. */
const containerInterface = /^(docker|br-|veth|cni|virbr|podman|flannel|cali)/;

/** The address of the interface with the default route; else any that is not loopback. */
export function addressOf(routes: string, interfaces: Interfaces): string {
  const defaults = routes
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([, destination]) => destination === "00000000")
    .map(([name = ""]) => name);
  const others = Object.keys(interfaces).filter((name) => !containerInterface.test(name));
  for (const name of [...defaults, ...others]) {
    const found = interfaces[name]?.find(({ family, internal }) => family === "IPv4" && !internal);
    if (found) return found.address;
  }
  throw new FabricError(
    "not-found",
    "expected an IPv4 address for Pods to reach this machine at, found only loopback",
    {
      hint: "ip link add sandbox0 type dummy && ip addr add 192.168.254.1/32 dev sandbox0 && ip link set sandbox0 up",
    },
  );
}
