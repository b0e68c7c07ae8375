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
  /** Of the user on the node, not of the container: a last resort. */
  readonly tasks: number;
  readonly openFiles: number;
  /** 0 is none. */
  readonly cpuSeconds: number;
}

/** The system's programs, and what languages ask the kernel about the machine. Nothing of /proc that tells of other processes. */
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
  /** What the toolchain reads besides the system. */
  readonly read: readonly string[];
  readonly limits: ProcessLimits;
}

/** Running chaincode: its own directory, and the peer's chaincode port; no port at all when its command names none. */
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

/** A build: its own directory, and the ports of package registries; names are looked up by UDP. */
export function buildPolicy(request: PolicyRequest, ports: readonly number[]): Policy {
  return {
    required: request.isolation === "required",
    read: [...systemPaths, ...request.read],
    write: [request.root],
    ports,
    datagrams: true,
    // Package managers unpack: they set modes and times.
    attributes: true,
    nice: 5,
    limits: request.limits,
  };
}

/** The port that chaincode is told to dial: "--peer.address localhost:7052", "-peer.address=...", "--peerAddress ..." (dockercontroller.go, GetArgs). */
export function chaincodePort(command: readonly string[]): number | undefined {
  const found = /--?peer\.?[aA]ddress[= ]\S*?:(\d{1,5})(?!\S)/.exec(command.join(" "))?.[1];
  const port = Number(found);
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** Ports that builds may connect to: those given, and those of the registries and proxies that the environment names. */
export function registryPorts(
  given: readonly number[],
  environment: Readonly<Record<string, string>>,
): readonly number[] {
  const named = Object.values(environment).flatMap((value) =>
    value.split(/[,|\s]/).flatMap((part) => portOf(part) ?? []),
  );
  // 53: names whose answers do not fit a datagram.
  return [...new Set([53, ...given, ...named])];
}

function portOf(text: string): number | undefined {
  if (!URL.canParse(text)) return undefined;
  const { port, protocol } = new URL(text);
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : protocol === "http:" ? 80 : undefined;
}
