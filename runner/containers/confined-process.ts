import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { Policy } from "../confinement/policy.ts";
import type { OutputStream } from "./output.ts";

export interface ConfinedCommand {
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly policy: Policy;
  readonly output: (stream: OutputStream, data: Buffer) => void;
}

/** A command under its init process, which ends after all descendants of the command. */
export interface ConfinedProcess {
  /** The init's process ID. */
  readonly pid: number;
  /** The exit code, when no descendant is left and all output was read. */
  readonly ended: Promise<number>;
  /** Sends SIGTERM to all processes. */
  ask(): void;
  /** Kills all processes, by SIGKILL. */
  end(): void;
}

/** The file descriptor of orders to the init (runner/confine/supervise.go). When it is closed, the init ends all processes. */
const controlDescriptor = 3;

/** Starts a command under `confine run`. Throws when `confine` itself cannot be started. */
export async function startConfined(confine: string, wanted: ConfinedCommand): Promise<ConfinedProcess> {
  const child = spawn(confine, ["run", JSON.stringify(wanted.policy), ...wanted.command], {
    cwd: wanted.directory,
    env: { ...wanted.environment },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A session of its own: no terminal, and its own share of the processor where the kernel groups by session.
    detached: true,
  });
  const closed = once(child, "close");
  closed.catch(() => undefined);
  await once(child, "spawn");
  child.stdout?.on("data", (data: Buffer) => wanted.output("stdout", data));
  child.stderr?.on("data", (data: Buffer) => wanted.output("stderr", data));
  const control = child.stdio[controlDescriptor] as Writable;
  // The init may have ended before it read an order.
  control.on("error", () => undefined);
  return {
    pid: child.pid ?? 0,
    ended: closed.then(() => exitCode(child)),
    ask: () => control.write("T"),
    end: () => control.destroy(),
  };
}

/** The exit code as in a shell: 128 and the signal's number. Only a lack of memory kills the init itself. */
function exitCode({ exitCode: code, signalCode }: ChildProcess): number {
  return code ?? (signalCode === "SIGKILL" ? 137 : 143);
}
