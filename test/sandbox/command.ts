import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { FabricError } from "../../core/error.ts";

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which the program is killed. */
  readonly timeout?: number;
  /** A file that gets everything the program prints. */
  readonly log?: string;
}

/** A program that ended with another status than 0, or never started. */
export class CommandFailure extends Error {
  override readonly name = "CommandFailure";
  readonly output: string;

  constructor(command: string, ending: string, output: string, cause?: unknown) {
    super(`${command}: expected exit status 0, found ${ending}${output && `\n${output}`}`, { cause });
    this.output = output;
  }
}

/**
 * Runs a program to its end and gives what it wrote to standard output.
 * Throws CommandFailure when it fails, with the last lines that it printed.
 */
export async function run(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const log = options.log === undefined ? undefined : openSync(options.log, "w");
  try {
    return await finished(command, args, options, log);
  } catch (error) {
    if (options.signal?.aborted) throw new FabricError("interrupted", `${command} was interrupted`, { cause: error });
    throw error;
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

function finished(command: string, args: readonly string[], options: CommandOptions, log: number | undefined) {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, [...args], {
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    ...(options.signal && { signal: options.signal }),
    ...(options.timeout !== undefined && { timeout: options.timeout }),
    stdio: ["pipe", log ?? "pipe", log ?? "pipe"],
  });
  let output = "";
  let complaints = "";
  child.stdout?.on("data", (data: Buffer) => (output += data.toString()));
  child.stderr?.on("data", (data: Buffer) => (complaints += data.toString()));
  child.stdin?.on("error", () => {}); // a program need not read what it is given
  child.stdin?.end(options.input ?? "");
  child.on("error", (error) => reject(new CommandFailure(command, error.message, "", error)));
  child.on("close", (status, signal) => {
    if (status === 0) resolve(output);
    else reject(new CommandFailure(command, signal ?? String(status), lastLines(complaints || output, 15)));
  });
  return promise;
}

/** Whether a program ends well; what it prints is dropped. */
export async function succeeds(command: string, args: readonly string[], options: CommandOptions = {}) {
  try {
    await run(command, args, options);
    return true;
  } catch (error) {
    if (error instanceof CommandFailure) return false;
    throw error;
  }
}

export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
