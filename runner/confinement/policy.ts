import type { Isolation } from "./kernel.ts";

/** What one process and its descendants may do: the input of confine (runner/confine/policy.go). */
export interface Policy {
  readonly required: boolean;
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly ports: readonly number[];
  readonly datagrams: boolean;
  readonly attributes: boolean;
  readonly nice: number;
  readonly limits: ProcessLimits;
}

/** Limits of each process. */
export interface ProcessLimits {
  readonly dataBytes: number;
  readonly fileBytes: number;
  /** Counted for the user on the whole node, not for the container: a last resort. */
  readonly tasks: number;
  readonly openFiles: number;
  /** 0: no limit. */
  readonly cpuSeconds: number;
}

/** The system's programs, and files about the machine that language runtimes read. No file of /proc about other processes. */
const systemPaths = [
  "/bin",
  "/etc",
  "/lib",
  "/lib64",
  "/sbin",
  "/usr",
  "/proc/cpuinfo",
  "/proc/filesystems",
  "/proc/loadavg",
  "/proc/meminfo",
  "/proc/stat",
  "/proc/sys",
  "/proc/uptime",
  "/proc/version",
  "/sys/devices/system",
  "/sys/fs/cgroup",
  "/sys/kernel/mm",
] as const;

export interface PolicyRequest {
  readonly isolation: Isolation;
  /** The container's directory. */
  readonly root: string;
  /** Paths that the toolchain reads besides the system's. */
  readonly read: readonly string[];
  readonly limits: ProcessLimits;
}

/** The policy of running chaincode: its own directory, and the peer's chaincode port; no port when its command names none. */
export function chaincodePolicy(request: PolicyRequest, port: number | undefined): Policy {
  return {
    required: request.isolation === "required",
    read: [...systemPaths, ...request.read],
    write: [request.root],
    ports: port === undefined ? [] : [port],
    datagrams: false,
    attributes: false,
    nice: 1,
    limits: { ...request.limits, cpuSeconds: 0 },
  };
}

/** The policy of a build: its own directory, the ports of package registries, and UDP for name lookups. */
export function buildPolicy(request: PolicyRequest, ports: readonly number[]): Policy {
  return {
    required: request.isolation === "required",
    read: [...systemPaths, ...request.read],
    write: [request.root],
    ports,
    datagrams: true,
    // Package managers set modes and times when they unpack.
    attributes: true,
    nice: 5,
    limits: request.limits,
  };
}

/**
 * The port in the command by which chaincode connects to the peer: "--peer.address localhost:7052", "-peer.address=...",
 * "--peerAddress ..." (dockercontroller.go, GetArgs). Undefined without one.
 */
export function chaincodePort(command: readonly string[]): number | undefined {
  const found = /--?peer\.?[aA]ddress[= ]\S*?:(\d{1,5})(?!\S)/.exec(command.join(" "))?.[1];
  const port = Number(found);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Ports that builds may connect to: the given ones, and those of registries and proxies in the environment. */
export function registryPorts(
  given: readonly number[],
  environment: Readonly<Record<string, string>>,
): readonly number[] {
  const named = Object.values(environment).flatMap((value) =>
    value.split(/[,|\s]/).flatMap((part) => portOf(part) ?? []),
  );
  // 53: name lookups by TCP, for answers that do not fit a datagram.
  return [...new Set([53, ...given, ...named])];
}

function portOf(text: string): number | undefined {
  if (!URL.canParse(text)) return undefined;
  const { port, protocol } = new URL(text);
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : protocol === "http:" ? 80 : undefined;
}
