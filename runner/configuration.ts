import { parseArgs } from "node:util";
import { isolations, type Isolation } from "./confinement/kernel.ts";

/** The configuration of one runner, from its command line. Sizes are in bytes. */
export interface Configuration {
  /** Path of the unix socket: there is no TCP port for the Engine API. */
  readonly socket: string;
  readonly state: string;
  readonly toolchains: string;
  /** The program that confines processes. */
  readonly confine: string;
  /** Plain HTTP for the kubelet and Prometheus. */
  readonly probesPort: number;
  readonly isolation: Isolation;
  readonly registryPorts: readonly number[];
  readonly maxRunning: number;
  readonly memoryLimit: number;
  readonly diskLimit: number;
  readonly imageLimit: number;
  readonly threadLimit: number;
  readonly buildSeconds: number;
}

const flags = {
  socket: { type: "string", default: "/kubectl-fabric/docker.sock" },
  state: { type: "string", default: "/var/lib/runner" },
  toolchains: { type: "string", default: "/opt/runner/toolchains" },
  confine: { type: "string", default: "/opt/runner/confine" },
  "probes-port": { type: "string", default: "8083" },
  isolation: { type: "string", default: "required" },
  "registry-ports": { type: "string", default: "80,443" },
  "max-running": { type: "string", default: "32" },
  "memory-limit": { type: "string", default: "2Gi" },
  "disk-limit": { type: "string", default: "1Gi" },
  "image-limit": { type: "string", default: "4Gi" },
  "thread-limit": { type: "string", default: "512" },
  "build-seconds": { type: "string", default: "1800" },
} as const;

/** Reads the command line. Throws Error when a flag is wrong; the message names the flag, what was expected and what was found. */
export function parseConfiguration(argv: readonly string[]): Configuration {
  const { values } = parseArgs({ args: [...argv], options: flags, allowPositionals: false });
  return {
    socket: values.socket,
    state: values.state,
    toolchains: values.toolchains,
    confine: values.confine,
    probesPort: wholeNumber("probes-port", values["probes-port"], 65_535),
    isolation: isolation(values.isolation),
    registryPorts: values["registry-ports"]
      .split(",")
      .filter((text) => text !== "")
      .map((text) => wholeNumber("registry-ports", text, 65_535)),
    maxRunning: wholeNumber("max-running", values["max-running"], 10_000),
    memoryLimit: bytes("memory-limit", values["memory-limit"]),
    diskLimit: bytes("disk-limit", values["disk-limit"]),
    imageLimit: bytes("image-limit", values["image-limit"]),
    threadLimit: wholeNumber("thread-limit", values["thread-limit"], 1_000_000),
    buildSeconds: wholeNumber("build-seconds", values["build-seconds"], 86_400),
  };
}

function isolation(text: string): Isolation {
  const found = isolations.find((one) => one === text);
  if (found !== undefined) return found;
  throw new Error(`--isolation: expected ${isolations.join(" or ")}, found ${JSON.stringify(text)}`);
}

function wholeNumber(flag: string, text: string, most: number): number {
  if (/^\d+$/.test(text) && Number(text) <= most) return Number(text);
  throw new Error(`--${flag}: expected a whole number up to ${most}, found ${JSON.stringify(text)}`);
}

const byteUnits: Readonly<Record<string, number>> = { "": 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };

/** Reads a size, in Kubernetes' form of memory quantities. */
function bytes(flag: string, text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,12})(Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  const factor = byteUnits[unit];
  if (digits !== "" && factor !== undefined && Number(digits) > 0) return Number(digits) * factor;
  throw new Error(`--${flag}: expected a size such as 512Mi, found ${JSON.stringify(text)}`);
}
