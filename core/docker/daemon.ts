import { Readable } from "node:stream";
import { FabricError } from "../error.ts";
import type { Cluster } from "../kubernetes/cluster.ts";
import { execStream, type ExecTarget } from "../kubernetes/exec.ts";
import { newEngine, type Engine, type EngineTarget } from "./engine.ts";

/** A Docker daemon: its API, and commands in its container. */
export interface Daemon {
  readonly engine: Engine;
  /** A command's standard output as it comes; the stream fails unless the command ends with 0. */
  run(command: readonly string[], signal?: AbortSignal): Promise<Readable>;
}

/** The daemon in a container of a Pod. `engine.close()` ends its connections. */
export function newDaemon(cluster: Cluster, target: EngineTarget, signal?: AbortSignal): Daemon {
  return {
    engine: newEngine(cluster, target, signal),
    run: (command, until) => output(cluster, { ...target, command }, until ?? signal),
  };
}

async function output(cluster: Cluster, target: ExecTarget, signal: AbortSignal | undefined): Promise<Readable> {
  const stream = await execStream(cluster, { ...target, stdin: false }, signal);
  stream.end();
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of stream as AsyncIterable<Buffer>) yield chunk;
    const { code, stderr } = await stream.exit;
    if (code !== 0) throw commandFailed(target.command, code, stderr);
  }
  return Readable.from(chunks(), { objectMode: false });
}

/** The error for a command in the daemon's container: `not-found` when there is no such command (127 of every shell), else `rejected`. */
export function commandFailed(command: readonly string[], code: number, stderr: string): FabricError {
  const name = command[0] ?? "";
  const said = stderr.trim() || "nothing";
  return new FabricError(code === 127 ? "not-found" : "rejected", `${name} ended with ${code}, saying ${said}`);
}
