import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How a run of the bundled plugin ended. */
export interface PluginResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What commands that change something print with `-o json`. */
export interface PlansJson {
  readonly changed: number;
  readonly unchanged: number;
  readonly wouldChange: number;
  readonly steps: readonly { readonly id: string; readonly result: string }[];
}

const program = join(import.meta.dirname, "../../dist/kubectl-fabric.js");

/** Runs dist/kubectl-fabric.js as its users do: a process of its own. */
export async function runPlugin(args: readonly string[]): Promise<PluginResult> {
  return startPlugin(args).ended;
}

/** The result of a command that has to succeed. */
export async function pluginOutput(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runPlugin(args);
  if (code !== 0) throw new Error(`kubectl fabric ${args.join(" ")} ended with ${code}:\n${stderr}${stdout}`);
  return stdout;
}

export async function pluginJson<T = PlansJson>(args: readonly string[]): Promise<T> {
  return JSON.parse(await pluginOutput([...args, "-o", "json"])) as T;
}

/** Kills a command with SIGKILL after so many of its steps have ended, or lets it end before that. */
export async function killedAfter(steps: number, args: readonly string[]): Promise<PluginResult> {
  const { child, ended } = startPlugin([...args, "--verbose"]);
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    if ((text.match(/^ {2}[✓✗=]/gm) ?? []).length >= steps) child.kill("SIGKILL");
  });
  return ended;
}

/** Kills a command with SIGKILL after a time: between two steps as likely as within one. */
export async function killedAt(milliseconds: number, args: readonly string[]): Promise<PluginResult> {
  const { child, ended } = startPlugin(args);
  await Promise.race([sleep(milliseconds), ended]);
  child.kill("SIGKILL");
  return ended;
}

/** A run that a test may interrupt. */
export function startPlugin(args: readonly string[]): {
  readonly child: ChildProcess;
  readonly ended: Promise<PluginResult>;
} {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (text.stderr += chunk.toString()));
  const ended = new Promise<PluginResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...text }));
  });
  return { child, ended };
}
