import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** A process of the network, which can be killed and started again with the same settings. */
export interface NodeProcess {
  /** Everything it wrote since it was started last. */
  output(): string;
  /** Undefined before it was started. */
  pid(): number | undefined;
  start(): Promise<void>;
  /** As the machine losing power would. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Nothing outlives the tests. */
const running = new Set<ChildProcess | undefined>();
process.once("exit", () => running.forEach((child) => signalGroup(child, "SIGKILL")));

/** `ready` is what the process writes when it serves. */
export function newProcess(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  ready: RegExp,
): NodeProcess {
  let child: ChildProcess | undefined;
  let output = "";
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      signalGroup(child, signal);
      await Promise.race([exited, sleep(5000, undefined, { ref: false })]);
    }
    signalGroup(child, "SIGKILL");
    running.delete(child);
  };
  return {
    output: () => output,
    pid: () => child?.pid,
    start: async () => {
      output = "";
      const [program = "", ...args] = command;
      child = spawn(program, args, {
        env: { PATH: process.env["PATH"] ?? "", ...environment },
        stdio: ["ignore", "pipe", "pipe"],
        // A group of its own, so that chaincode which a peer starts ends with it.
        detached: true,
      });
      running.add(child);
      child.stdout?.on("data", (data: Buffer) => (output += data.toString()));
      child.stderr?.on("data", (data: Buffer) => (output += data.toString()));
      while (!ready.test(output)) {
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`expected ${command.join(" ")} to run, found it ended: ${output}`);
        }
        await sleep(20);
      }
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

function signalGroup(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  try {
    if (child?.pid !== undefined) {
      process.kill(-child.pid, signal);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
      throw error;
    }
  }
}
